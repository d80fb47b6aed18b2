"""Stage 2: the data zoo, and the bag that a request selects from it."""
