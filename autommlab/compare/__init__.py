"""Searchers compared on the same data and model, under equal budgets and with paired seeds."""
