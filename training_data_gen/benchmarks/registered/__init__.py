"""The registered comparison: its tasks, arms and questions were committed before anything was trained on them.

`docs/registered.md` is the registration in words.
"""
