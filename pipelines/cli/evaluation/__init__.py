"""`python -m pipelines evaluate`: results scored against their moves, one table in every form."""
