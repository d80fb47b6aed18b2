"""Stage 5: export, engines, verification, and the bundle."""
