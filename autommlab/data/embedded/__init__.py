"""Data sets generated from, or read out of, installed packages."""
