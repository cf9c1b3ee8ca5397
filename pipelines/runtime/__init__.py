"""The runtime that all methods share: weights, memory, speed, one GPU job at a time, ZeroGPU.

`pipelines.options` imports no torch; `runner.Runtime.run` runs a method on this machine, `zerogpu.run` on a ZeroGPU Space.
"""
