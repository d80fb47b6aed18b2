"""Searchers that are made of searchers."""
