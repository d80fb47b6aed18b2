"""What a run tells while it goes on, and how a person or a program sees it."""
