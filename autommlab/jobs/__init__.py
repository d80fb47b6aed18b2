"""Requests as jobs of a Ray cluster: submit, watch, stop, fetch."""
