"""Requests with their parses: 404 written by hand, and as many as wanted composed from them."""
