"""Runs of the methods: cancelled, spread over GPUs, shared by a pool."""
