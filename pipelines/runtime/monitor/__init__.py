"""What runs, waits and was done: for the status page, ``doctor`` and Prometheus."""
