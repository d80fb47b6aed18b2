"""Turns in space for jointed figures: x right, y down, z towards the viewer; angles in degrees.

A figure at rest looks at the viewer (forward = +z), its left is +x and its limbs hang down (+y).
"""

import numpy as np

DOWN = np.array([0.0, 1.0, 0.0])


def yaw(degrees: float) -> np.ndarray:
    """(3, 3) turn about the vertical: 90 makes forward point right."""
    cos, sin = _cos_sin(degrees)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def pitch(degrees: float) -> np.ndarray:
    """(3, 3) turn that leans a standing thing forward and swings a hanging one back."""
    cos, sin = _cos_sin(degrees)
    return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])


def roll(degrees: float) -> np.ndarray:
    """(3, 3) turn in the image plane: moves a hanging limb towards +x."""
    cos, sin = _cos_sin(degrees)
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def _cos_sin(degrees: float) -> tuple[float, float]:
    radians = np.deg2rad(degrees)
    return float(np.cos(radians)), float(np.sin(radians))
