"""LoRA fine-tuning with torch, transformers and peft alone, so that it runs as is on a bare GPU machine."""
