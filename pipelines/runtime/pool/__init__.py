"""Shots on many GPUs and machines through Ray, with the queue, progress, early frames, cancelling and errors of one GPU.

``RESHOOT_RAY=auto`` starts Ray here over this machine's GPUs, an address joins a cluster; without it this package is unused.
A Serve deployment per method holds replicas, each a runtime on its own GPU that keeps its weights. Jobs and clips are sent
whole, as the files of `pipelines.runtime.job_file` and `pipelines.runtime.clip_file`, without pickle.
"""
