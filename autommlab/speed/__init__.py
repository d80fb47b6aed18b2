"""Benchmarks of our own speed: ratios against a baseline that runs beside it, never bare times."""
