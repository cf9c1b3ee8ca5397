"""One shot over several GPUs: N processes run the same pipeline, its denoiser's tokens or frames split between them.

Every process loads all weights and draws the same noise from the same seed. Inside a denoiser each process computes its
share; a denoiser's output is gathered in all of them. Process 0 reports progress and returns the clip.
"""
