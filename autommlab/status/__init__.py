"""What goes on: clusters, requests, runs and the LLM service, looked at from outside without disturbing them."""
