"""One shot over several GPUs: N processes run the same pipeline, its denoiser's tokens or frames split between them.

Every process loads all weights and draws the same noise from the same seed; inside a denoiser each computes its share, and
what leaves the denoiser is whole again in all of them. Process 0 tells of the progress and gives the clip.
"""
