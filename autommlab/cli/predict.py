"""`autommlab predict BUNDLE IMAGE...`: use a finished bundle on images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from autommlab.deployment.predicting import Box, Predicted


def predict_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", show_default=False)],
    images: Annotated[list[Path], typer.Argument(help="Image files.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the drawn images.")] = Path("predictions"),
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Lowest score of a detection that is kept.")] = 0.3,
    box: Annotated[
        list[str] | None, typer.Option(help="X,Y,W,H of an object in pixels, for keypoints; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image.")] = False,
) -> None:
    """Predict with a bundle and draw the answers into copies of the images."""
    from autommlab.cli.shared import say
    from autommlab.common.errors import DataError
    from autommlab.deployment.predicting import load_bundle, predict_files

    boxes = [_box(text) for text in box] if box else None
    problems = 0
    for result in predict_files(load_bundle(bundle), images, out, threshold=threshold, boxes=boxes):
        if as_json:
            typer.echo(result.to_json())
        elif result.problem:
            say(f"Error: {result.problem}", error=True)
        else:
            say(_line(result))
        problems += bool(result.problem)
    if problems:
        typer.echo(f"{problems} of {len(images)} image(s) could not be read.", err=True)
        raise typer.Exit(DataError.exit_code)


def _line(result: Predicted) -> str:
    return f"{result.image}: {answer_in_words(result.answer)}  -> {result.drawn}"


def answer_in_words(answer: dict[str, Any]) -> str:
    """A prediction in a few words for a person."""
    if "label" in answer:
        return f"{answer['label']} {answer['score']:.0%}"
    if "classes" in answer:
        shares = sorted(answer["classes"].items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} {share:.1%}" for name, share in shares if share > 0)
    things = answer.get("boxes", answer.get("instances", []))
    counts: dict[str, int] = {}
    for thing in things:
        counts[thing["label"]] = counts.get(thing["label"], 0) + 1
    return ", ".join(f"{count} {label}" for label, count in counts.items()) or "nothing found"


def _box(text: str) -> Box:
    from autommlab.common.errors import RequestError

    x = y = 0.0
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        width = height = 0.0
    if not (math.isfinite(x + y + width + height) and width > 0 and height > 0):
        raise RequestError(
            f"--box {text!r} is not X,Y,W,H in pixels with a size above 0, for example --box 10,20,100,200"
        )
    return x, y, width, height
