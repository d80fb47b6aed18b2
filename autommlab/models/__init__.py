"""Stage 3: the model zoo, and the model that a request selects from it."""
