"""What the LLM adapters learn from, their fine-tuning and their evaluation."""
