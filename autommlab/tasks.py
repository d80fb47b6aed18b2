"""The four vision tasks, named as in the LAMP schema."""

from enum import StrEnum


class Task(StrEnum):
    """What a model answers about an image."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"
    SEGMENTATION = "segmentation"
    KEYPOINT = "keypoint"
