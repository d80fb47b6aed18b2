"""One module per data layout found in the wild."""
