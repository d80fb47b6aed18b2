"""Where a run lies: its folder, and the copy of it on a storage."""
