"""Requests with their parses: 1,494 written by hand, and as many as wanted composed from them."""
