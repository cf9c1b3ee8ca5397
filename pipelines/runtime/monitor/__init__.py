"""Running, waiting and finished shots, for the status page, ``doctor`` and Prometheus."""
