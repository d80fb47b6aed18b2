"""The benchmarks' own data: requests whose parses were written by hand."""
