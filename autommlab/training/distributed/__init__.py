"""A trial over several workers, through Ray Train."""
