"""Stage 5: export, engines, verification, and the bundle."""

from autommlab.deployment.stage import deploy

__all__ = ["deploy"]
