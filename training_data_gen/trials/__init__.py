"""Trials: real trainings over many bags, each with as many quasi-random configurations.

A trial is a request's bag and model, hyperparameters, and the performance they reached (arXiv 2402.15351,
section 3.4). HPO-LLaMA learns from them, and the searcher `zero-shot` looks them up.
"""
