"""What a bundle needs to predict: the engine, numpy and Pillow, nothing else.

This folder is copied into every bundle as `bundle_runtime/`; nothing in it may import autommlab.
"""

from .errors import BundleError
from .predictor import Predictor

__all__ = ["BundleError", "Predictor"]
