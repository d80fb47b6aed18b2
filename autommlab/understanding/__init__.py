"""Stage 1: a person's sentence becomes a `ModelRequest`."""
