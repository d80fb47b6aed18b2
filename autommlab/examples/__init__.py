"""Parses of requests, for `--parse`, and a program that uses the Python API."""
