"""`autommlab predict BUNDLE IMAGE...`: use a finished bundle on images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from autommlab.deployment.predicting import Box, Predicted


def predict_command(
    bundle: Annotated[str, typer.Argument(help="Folder of the bundle, or hf://OWNER/NAME.", show_default=False)],
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
    from autommlab.deployment.hub import bundle_folder
    from autommlab.deployment.predicting import load_bundle, predict_files

    boxes = [_box(text) for text in box] if box else None
    problems = 0
    for result in predict_files(load_bundle(bundle_folder(bundle)), images, out, threshold=threshold, boxes=boxes):
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
    from autommlab.deployment.drawing import answer_in_words

    return f"{result.image}: {answer_in_words(result.answer)}  -> {result.drawn}"


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
