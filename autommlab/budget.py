"""A run's own budget: a file and a few options over a profile, read, checked and put together.

An option wins over the file, the file over the profile. What both leave open is the profile's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from autommlab.common.errors import RequestError, unknown
from autommlab.settings import SPLIT_SHARES, Images, Profile, TaskBudget
from autommlab.tasks import Task

T = TypeVar("T")

#: Sides of an input in pixels. The zoo's feature pyramids and heatmaps shrink a picture by 32.
SIDE_STEP, SIDES = 32, (32, 2048)
MOST_ITERATIONS, MOST_BATCH, MOST_IMAGES, MOST_REPORTS = 1_000_000, 4096, 100_000_000, 1000
#: What stands for every picture of a set.
ALL = "all"
#: Bytes of a budget file beyond which it is something else.
_LARGEST_FILE = 64 * 1024


def read_size(value: object) -> tuple[int, int]:
    """(width, height) of 224, "224", "192x256" or [192, 256].

    Raises:
        ValueError: what is allowed, and for a side between two steps the sides next to it.
    """
    parts = value.lower().split("x") if isinstance(value, str) else value
    sides = [_whole(part) for part in (parts if isinstance(parts, list | tuple) else [parts])]
    low, high = SIDES
    allowed = f"it takes N or WxH pixels, each a multiple of {SIDE_STEP} from {low} to {high}, as in 224 or 192x256"
    if len(sides) not in (1, 2):
        raise ValueError(allowed)
    for side in sides:
        if side is None or not low <= side <= high:
            raise ValueError(allowed)
        if side % SIDE_STEP:
            below = side - side % SIDE_STEP
            raise ValueError(f"{allowed}; next to {side} are {below} and {below + SIDE_STEP}")
    width, height = sides[0] or 0, sides[-1] or 0
    return width, height


def read_range(value: object, most: int) -> tuple[int, int]:
    """(low, high) of 80, "80", "20..80" or [20, 80].

    Args:
        value: as typed or as a file has it.
        most: the largest number allowed; the smallest is 1.

    Raises:
        ValueError: what is allowed.
    """
    parts = value.split("..") if isinstance(value, str) else value
    ends = [_whole(part) for part in (parts if isinstance(parts, list | tuple) else [parts])]
    low, high = ends[0] if ends else None, ends[-1] if ends else None
    if len(ends) not in (1, 2) or low is None or high is None or not 1 <= low <= high <= most:
        raise ValueError(f"it takes LOW..HIGH or one number, whole numbers from 1 to {most:,}, LOW not above HIGH")
    return low, high


def read_iterations(value: object) -> tuple[int, int]:
    """As `read_range`, for iterations of a trial."""
    return read_range(value, MOST_ITERATIONS)


def read_batch(value: object) -> tuple[int, int]:
    """As `read_range`, for images a step."""
    return read_range(value, MOST_BATCH)


def read_images(value: object) -> tuple[int | None, ...]:
    """(train,) of 500 or "500"; (train, val, test) of [500, 100, 100] or "all"; None = every picture.

    Raises:
        ValueError: what is allowed.
    """
    if isinstance(value, str) and value.strip().lower() == ALL:
        return (None, None, None)
    parts = value.split(",") if isinstance(value, str) else value
    found = [_images(part) for part in (parts if isinstance(parts, list | tuple) else [parts])]
    if len(found) not in (1, 3) or 0 in found:
        raise ValueError(
            f"it takes the most training pictures, 1 to {MOST_IMAGES:,}, or {ALL!r}; or three such values, "
            "of train, val and test"
        )
    return (None, None, None) if found == [None] else tuple(found)


def _images(value: object) -> int | None:
    """A cap; None = no cap, 0 = no such thing."""
    if value is None or (isinstance(value, str) and value.strip().lower() == ALL):
        return None
    number = _whole(value)
    return number if number is not None and 1 <= number <= MOST_IMAGES else 0


def _whole(value: object) -> int | None:
    """The whole number that a value is or spells."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None


def size_text(size: tuple[int, int]) -> str:
    """Of (192, 256): "192x256"."""
    return f"{size[0]}x{size[1]}"


def range_text(ends: tuple[int, int]) -> str:
    """Of (20, 80): "20..80"; of (80, 80): "80"."""
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}..{ends[1]}"


def images_text(caps: tuple[int | None, ...]) -> str:
    """Of (640, 200, None): "640,200,all"."""
    names = [ALL if cap is None else str(cap) for cap in caps]
    return ALL if set(names) == {ALL} else ",".join(names)


def _canonical(read: Callable[[object], T], spell: Callable[[T], str]) -> BeforeValidator:
    """One spelling for each value, typed or of Python; what cannot be read stays as it is, for a check to tell."""

    def canonical(value: object) -> object:
        if not isinstance(value, str | int | tuple | list):
            return value
        try:
            return spell(read(value))
        except ValueError:
            return str(value)

    return BeforeValidator(canonical)


#: Of an option, in its one spelling.
SizeText = Annotated[str, _canonical(read_size, size_text)]
IterationsText = Annotated[str, _canonical(read_iterations, range_text)]
BatchText = Annotated[str, _canonical(read_batch, range_text)]
ImagesText = Annotated[str, _canonical(read_images, images_text)]

#: Field of `TaskChanges` -> its reader.
READERS: dict[str, Callable[[object], Any]] = {
    "input_size": read_size,
    "images": read_images,
    "iterations": read_iterations,
    "batch_size": read_batch,
}


def _read(name: str) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else READERS[name](value))


class TaskChanges(BaseModel):
    """What a person fixes of one task's budget; None = left open. Fields as in `TaskBudget`.

    Attributes:
        images: (train,): validation and test then follow in the profile's proportion; or all three, None = every one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: Annotated[tuple[int, int] | None, _read("input_size")] = None
    images: Annotated[tuple[int | None, ...] | None, _read("images")] = None
    iterations: Annotated[tuple[int, int] | None, _read("iterations")] = None
    batch_size: Annotated[tuple[int, int] | None, _read("batch_size")] = None
    reports: int | None = Field(default=None, strict=True, ge=1, le=MOST_REPORTS)

    def over(self, budget: TaskBudget) -> TaskBudget:
        """The budget with these values in the place of its own."""
        found = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        if self.images is not None:
            found["images"] = _caps(self.images, budget.images)
        return budget.model_copy(update=found)


def _caps(asked: tuple[int | None, ...], known: Images) -> Images:
    """Caps of train, val and test; the last two in the proportion of the known ones where only train is named."""
    train = asked[0]
    if len(asked) == 3 or train is None:
        return asked[0], asked[-2], asked[-1]
    shares = SPLIT_SHARES if None in known else known
    val, test = (max(1, round(train * (share or 0) / (shares[0] or 1))) for share in shares[1:])
    return train, val, test


Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class BudgetFile(BaseModel):
    """What `--budget FILE` says: any part of a `Profile`; None = left to the profile.

    Attributes:
        minutes: of a whole run; "none" = no limit, and so is a file that names trials and no minutes.
        file: where it was read; an edited or moved file changes nothing in a run that has begun.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path = Path()
    name: str | None = Field(default=None, strict=True, min_length=1, max_length=100)
    max_params_m: Positive | None = None
    max_flops_g: Positive | None = None
    trials: int | None = Field(default=None, strict=True, ge=1)
    minutes: Positive | Literal["none"] | None = None
    cpus_per_trial: Positive | None = None
    gpus_per_trial: float | None = Field(default=None, strict=True, ge=0, allow_inf_nan=False)
    prefer_light: bool | None = Field(default=None, strict=True)
    tasks: dict[Task, TaskChanges] = {}

    def over(self, profile: Profile) -> Profile:
        """The profile with what the file says in the place of its own."""
        plain = ("max_params_m", "max_flops_g", "trials", "cpus_per_trial", "gpus_per_trial", "prefer_light")
        found: dict[str, Any] = {name: value for name in plain if (value := getattr(self, name)) is not None}
        if self.minutes is not None or self.trials is not None:
            found["minutes"] = self.minutes if isinstance(self.minutes, float) else None
        tasks = {task: self.tasks.get(task, TaskChanges()).over(budget) for task, budget in profile.tasks.items()}
        return profile.model_copy(update={**found, "name": self.name or self.file.stem, "tasks": tasks})


def read_budget(path: Path) -> BudgetFile:
    """The budget in a YAML file.

    Raises:
        RequestError: it cannot be read, or all that is wrong in it.
    """
    import yaml

    try:
        with path.open("rb") as source:
            content = source.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise RequestError(f"the budget {path} has over {_LARGEST_FILE // 1024} KiB; {_START}")
        values = yaml.safe_load(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RequestError(f"the budget {path} cannot be read: {reason}. {_START}") from error
    if not isinstance(values, dict):
        raise RequestError(f"the budget {path} holds no lines `name: value`. {_START}")
    try:
        # Where it lies is not for the file to say.
        named = {f"{name} " if name == "file" else name: value for name, value in values.items()}
        return BudgetFile.model_validate({**named, "file": path})
    except ValidationError as error:
        told = "".join(f"\n    {line}" for line in _told(error))
        raise RequestError(f"the budget {path} cannot be used:{told}") from error


_START = "Start one with: autommlab profiles laptop --yaml > FILE.yaml"


def _told(error: ValidationError) -> Iterator[str]:
    """What is wrong in a file, one sentence each."""
    for problem in error.errors():
        *parents, name = (str(part).strip() for part in problem["loc"] if part != "[key]")
        if problem["type"] == "extra_forbidden":
            known = TaskChanges if parents else BudgetFile
            said = unknown("name", name, [field for field in known.model_fields if field != "file"])
            yield f"{'.'.join(parents)}: {said}" if parents else said
        elif problem["loc"][-1:] == ("[key]",):
            yield unknown("task", name, list(Task))
        else:
            said = problem["msg"].removeprefix("Value error, ")
            yield f"{'.'.join([*parents, name])} is {repr(problem['input'])[:60]}; {said[:1].lower()}{said[1:]}"


def yaml_text(profile: Profile) -> str:
    """A file for `--budget` that says what a profile says."""
    lines = [
        "# For `autommlab run --budget FILE`. What is left out is that of --profile.",
        f"name: {profile.name}",
        "# Of a whole run, or none: then it has so many trials, whatever time they take.",
        f"minutes: {'none' if profile.minutes is None else format(profile.minutes, 'g')}",
        f"trials: {profile.trials}",
        f"cpus_per_trial: {profile.cpus_per_trial:g}",
        f"gpus_per_trial: {profile.gpus_per_trial:g}",
        "# The heaviest model that is considered: millions of parameters, GFLOPs at the input size.",
        f"max_params_m: {profile.max_params_m:g}",
        f"max_flops_g: {profile.max_flops_g:g}",
        "# Among pretrained models the lightest instead of the best score.",
        f"prefer_light: {str(profile.prefer_light).lower()}",
        "# input_size: N or WxH pixels. images: most of train, val and test, or all. iterations, batch_size: LOW..HIGH",
        "# or one number. reports: validations of a trial.",
        "tasks:",
    ]
    for task, budget in profile.tasks.items():
        caps = ", ".join(ALL if cap is None else str(cap) for cap in budget.images)
        lines += [
            f"  {task.value}:",
            f"    input_size: {size_text(budget.input_size)}",
            f"    images: [{caps}]",
            f"    iterations: {range_text(budget.iterations)}",
            f"    batch_size: {range_text(budget.batch_size)}",
            f"    reports: {budget.reports}",
        ]
    return "\n".join(lines) + "\n"
