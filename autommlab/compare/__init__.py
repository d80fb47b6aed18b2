"""Searchers compared on the same bag and model, under equal budgets and with paired seeds."""
