"""Bundles as an HTTP service on Ray Serve: pictures in, answers out."""
