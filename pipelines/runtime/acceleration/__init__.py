"""Speed options of a run: attention kernels, step caches, compiled blocks."""
