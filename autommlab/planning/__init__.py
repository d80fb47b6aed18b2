"""Stage 4: how the time that a person gives is spent, from what is measured on this machine and from the data."""
