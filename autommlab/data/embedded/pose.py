"""Random human poses: proportions and joint angles give the 17 joints (and helpers) in space.

Lengths are shares of the body height; the hips' middle is the origin.
"""

from dataclasses import dataclass

import numpy as np

from autommlab.data.embedded.figure import DOWN, pitch, roll, yaw

#: Sides of the body: +1 left, -1 right.
LEFT, RIGHT = 1, -1


@dataclass(frozen=True, slots=True)
class Limb:
    """Joint angles of an arm or a leg in degrees.

    Attributes:
        swing: forward from hanging down.
        spread: away from the body.
        twist: turns the plane in which the limb bends.
        bend: of elbow (forward) or knee (backward).
    """

    swing: float
    spread: float
    twist: float
    bend: float


@dataclass(frozen=True, slots=True)
class Pose:
    """All angles of a body, in degrees: turns of the trunk and the head, arms and legs by side."""

    facing: float
    lean: float
    tilt: float
    head_yaw: float
    head_pitch: float
    arms: dict[int, Limb]
    legs: dict[int, Limb]


@dataclass(frozen=True, slots=True)
class Body:
    """Proportions, shares of the height."""

    head: float
    shoulders: float
    hips: float
    trunk: float
    arm: float
    leg: float


def random_body(rng: np.random.Generator) -> Body:
    """Proportions from child-like (large head) to tall."""
    return Body(
        head=rng.uniform(0.072, 0.105),
        shoulders=rng.uniform(0.095, 0.13),
        hips=rng.uniform(0.055, 0.085),
        trunk=rng.uniform(0.27, 0.32),
        arm=rng.uniform(0.145, 0.175),
        leg=rng.uniform(0.205, 0.25),
    )


def _standing(rng: np.random.Generator) -> tuple[list[Limb], list[Limb]]:
    arms = [Limb(rng.normal(5, 18), rng.uniform(4, 35), rng.uniform(-60, 60), rng.uniform(0, 70)) for _ in "lr"]
    legs = [Limb(rng.normal(0, 7), rng.uniform(2, 14), rng.uniform(-15, 15), rng.uniform(0, 15)) for _ in "lr"]
    return arms, legs


def _walking(rng: np.random.Generator) -> tuple[list[Limb], list[Limb]]:
    stride, sign = rng.uniform(20, 55), rng.choice([-1, 1])
    arms = [
        Limb(-sign * side * stride, rng.uniform(3, 15), rng.uniform(-30, 30), rng.uniform(15, 105))
        for side in (LEFT, RIGHT)
    ]
    legs = []
    for side in (LEFT, RIGHT):
        forward = sign * side > 0
        bend = rng.uniform(0, 40) if forward else rng.uniform(10, 85)
        legs.append(Limb(sign * side * stride * 0.8, rng.uniform(0, 6), 0.0, bend))
    return arms, legs


def _reaching(rng: np.random.Generator) -> tuple[list[Limb], list[Limb]]:
    arms = [Limb(rng.normal(0, 25), rng.uniform(50, 170), rng.uniform(-90, 90), rng.uniform(0, 100)) for _ in "lr"]
    legs = [Limb(rng.normal(0, 15), rng.uniform(3, 38), rng.uniform(-30, 30), rng.uniform(0, 45)) for _ in "lr"]
    return arms, legs


def _sitting(rng: np.random.Generator) -> tuple[list[Limb], list[Limb]]:
    arms = [Limb(rng.uniform(0, 70), rng.uniform(0, 25), rng.uniform(-40, 60), rng.uniform(10, 100)) for _ in "lr"]
    legs = [Limb(rng.uniform(50, 100), rng.uniform(0, 25), rng.uniform(-10, 10), rng.uniform(50, 110)) for _ in "lr"]
    return arms, legs


_KINDS = (_standing, _standing, _walking, _walking, _reaching, _reaching, _sitting)


def random_pose(rng: np.random.Generator) -> Pose:
    """Standing, walking, reaching or sitting, seen from any side but mostly from the front."""
    arms, legs = _KINDS[int(rng.integers(len(_KINDS)))](rng)
    turned = rng.random()
    facing = rng.normal(0, 35) if turned < 0.65 else rng.uniform(-180, 180)
    return Pose(
        facing=facing,
        lean=rng.normal(4, 9),
        tilt=rng.normal(0, 9),
        head_yaw=rng.normal(0, 25),
        head_pitch=rng.normal(0, 10),
        arms={LEFT: arms[0], RIGHT: arms[1]},
        legs={LEFT: legs[0], RIGHT: legs[1]},
    )


@dataclass(frozen=True, slots=True)
class Joints:
    """Points in space, each of shape (3,), in the order left, right where there are two.

    Attributes:
        head_turn: (3, 3) orientation of the head.
    """

    neck: np.ndarray
    head: np.ndarray
    head_turn: np.ndarray
    shoulders: dict[int, np.ndarray]
    elbows: dict[int, np.ndarray]
    wrists: dict[int, np.ndarray]
    hips: dict[int, np.ndarray]
    knees: dict[int, np.ndarray]
    ankles: dict[int, np.ndarray]
    toes: dict[int, np.ndarray]


def joints_of(body: Body, pose: Pose) -> Joints:
    """Where the joints of a body in that pose are, shares of the height about the hips' middle."""
    stance = roll(pose.tilt) @ yaw(pose.facing)
    trunk = stance @ pitch(pose.lean)
    neck = trunk @ np.array([0.0, -body.trunk, 0.0])
    head_turn = trunk @ yaw(pose.head_yaw) @ pitch(pose.head_pitch)
    head = neck + head_turn @ np.array([0.0, -1.45 * body.head, 0.15 * body.head])
    points: dict[str, dict[int, np.ndarray]] = {
        key: {} for key in ("shoulders", "elbows", "wrists", "hips", "knees", "ankles", "toes")
    }
    for side in (LEFT, RIGHT):
        shoulder = neck + trunk @ np.array([side * body.shoulders, 0.02, 0.0])
        upper = trunk @ _limb_turn(pose.arms[side], side)
        elbow = shoulder + upper @ DOWN * body.arm
        wrist = elbow + upper @ pitch(-pose.arms[side].bend) @ DOWN * (0.92 * body.arm)
        hip = stance @ np.array([side * body.hips, 0.0, 0.0])
        thigh = stance @ _limb_turn(pose.legs[side], side)
        knee = hip + thigh @ DOWN * body.leg
        shin = thigh @ pitch(pose.legs[side].bend)
        ankle = knee + shin @ DOWN * (0.95 * body.leg)
        toe = ankle + shin @ np.array([0.0, 0.025, 0.055])
        for key, point in zip(points, (shoulder, elbow, wrist, hip, knee, ankle, toe), strict=True):
            points[key][side] = point
    return Joints(neck, head, head_turn, **points)


def _limb_turn(limb: Limb, side: int) -> np.ndarray:
    return roll(side * limb.spread) @ pitch(-limb.swing) @ yaw(side * limb.twist)
