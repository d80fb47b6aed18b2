"""The LLM service: base model, adapters, the Ray Serve app and its client. Knows nothing of HPO or vision."""
