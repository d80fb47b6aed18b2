"""The set of drawn people: one or two in a picture, cropped or half hidden, with COCO's keypoints."""

import numpy as np

from autommlab.data.embedded.backgrounds import background, camera
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.embedded.figure import Canvas, box_and_area, owner_at, silhouette
from autommlab.data.embedded.occluders import hide_some
from autommlab.data.embedded.person import Person, Placement, random_outfit
from autommlab.data.embedded.pose import Joints, joints_of, random_body, random_pose
from autommlab.data.records import Instance, Split

#: (width, height) of the images in pixels.
SIZE = (128, 160)
_TWO, _CROPPED = 0.25, 0.2
#: Room around the joints for flesh and clothes, shares of the body height.
_FLESH = np.array([0.06, 0.06])


def draw_people(block: str, split: Split, rng: np.random.Generator) -> Drawn:
    """A 128 x 160 px picture of one or two people; `block` is the class name, always "person".

    Boxes enclose all of a person that lies in the image, also where something is in front.
    """
    canvas = Canvas(background(rng, SIZE))
    slots = (0.32, 0.68) if rng.random() < _TWO else (0.5,)
    people: list[Person] = []
    masks = []
    for slot in slots:
        person = _random_person(rng, slot, alone=len(slots) == 1, first=people[-1].last if people else 0)
        canvas.draw(person.parts())
        masks.append(silhouette(canvas.owner(), person.first + 1, person.last))
        people.append(person)
    image = canvas.finish()
    image, hidden = hide_some(image, masks, rng)
    instances = tuple(
        _annotate(person, mask, canvas.owner(), hidden) for person, mask in zip(people, masks, strict=True)
    )
    return Drawn(camera(image, rng), split, instances=instances)


def _random_person(rng: np.random.Generator, slot: float, *, alone: bool, first: int) -> Person:
    body, pose = random_body(rng), random_pose(rng)
    joints = joints_of(body, pose)
    return Person(body, joints, random_outfit(rng), _fit(rng, joints, slot, alone=alone), first)


def _fit(rng: np.random.Generator, joints: Joints, slot: float, *, alone: bool) -> Placement:
    """Scale and place a skeleton so that it lies in the image, except that some are cropped."""
    ends = [joints.head, *joints.wrists.values(), *joints.elbows.values(), *joints.hips.values()]
    ends += [*joints.knees.values(), *joints.toes.values(), *joints.shoulders.values()]
    flat = np.array(ends)[:, :2]
    low, high = flat.min(axis=0) - _FLESH, flat.max(axis=0) + _FLESH
    low[1] = min(low[1], joints.head[1] - 0.12)
    extent = high - low
    fill = rng.uniform(0.7, 0.96)
    room = np.array(SIZE) * (fill if alone else fill * np.array([0.66, 0.95]))
    scale = min(float((room / extent).min()), 165.0)
    loose = np.abs(np.array(SIZE) - extent * scale) / 2
    if rng.random() < _CROPPED:
        scale *= rng.uniform(1.2, 1.7)
        loose = np.array(SIZE) * 0.12
    elif not alone:
        loose[0] = 4
    centre = np.array(SIZE) * (slot, 0.5) + rng.uniform(-1, 1, 2) * loose
    x, y = centre - (low + high) / 2 * scale
    return Placement(scale, float(x), float(y))


def _annotate(person: Person, mask: np.ndarray, owner: np.ndarray, hidden: np.ndarray) -> Instance:
    points = []
    for name, point in person.points().items():
        x, y = float(point[0]), float(point[1])
        flag = person.visibility(name, point, owner_at(owner, x, y))
        if flag == 2 and hidden[int(y), int(x)]:
            flag = 1
        points.append((round(x, 2), round(y, 2), flag) if flag else (0.0, 0.0, 0))
    box, area = box_and_area(mask)
    return Instance(0, box, tuple(points), area=area)
