"""The runtime that all methods share: weights, memory, speed, one GPU job at a time, ZeroGPU.

`options` imports no torch; `job.run` is the one way to run a method on this machine, `zerogpu` the one on a ZeroGPU Space.
"""
