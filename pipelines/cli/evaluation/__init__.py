"""`python -m pipelines evaluate`: scores results against their moves, as one table in several formats."""
