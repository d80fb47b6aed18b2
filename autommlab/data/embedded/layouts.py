"""Keypoint layouts of the drawn sets: COCO's for people, AP-10K's for animals.

Names, order, pairs and sigmas are those that the COCO and AP-10K evaluations use (a test compares them with
the installed mmpose), so that a model trained on one set fits the other.
"""

from autommlab.data.records import KeypointLayout

PERSON = KeypointLayout(
    names=(
        "nose",
        *("left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    skeleton=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
        *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    ),
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
        *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)

ANIMAL = KeypointLayout(
    names=(
        *("L_Eye", "R_Eye", "Nose", "Neck", "Root of tail"),
        *("L_Shoulder", "L_Elbow", "L_F_Paw", "R_Shoulder", "R_Elbow", "R_F_Paw"),
        *("L_Hip", "L_Knee", "L_B_Paw", "R_Hip", "R_Knee", "R_B_Paw"),
    ),
    flip_pairs=((0, 1), (5, 8), (6, 9), (7, 10), (11, 14), (12, 15), (13, 16)),
    skeleton=(
        *((0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (6, 7), (3, 8), (8, 9), (9, 10)),
        *((4, 11), (11, 12), (12, 13), (4, 14), (14, 15), (15, 16)),
    ),
    sigmas=(
        *(0.025, 0.025, 0.026, 0.035, 0.035, 0.079, 0.072, 0.062, 0.079),
        *(0.072, 0.062, 0.107, 0.087, 0.089, 0.107, 0.087, 0.089),
    ),
)
