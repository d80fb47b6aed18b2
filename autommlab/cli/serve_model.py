"""`autommlab serve-model BUNDLE...`: finished bundles as an HTTP service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from autommlab.model_service.running import ModelService


def serve_model(
    bundles: Annotated[
        list[str],
        typer.Argument(metavar="BUNDLE", help="Folders, or NAME=FOLDER to name the model.", show_default=False),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8474,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback clients need a key.")] = "127.0.0.1",
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="AUTOMMLAB_MODEL_KEY",
            help="What clients must send. [default: nothing on loopback, else a key of this user's]",
        ),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Processes that predict, each with all models. [default: 2, 1 on one core]"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=256, help="Of the engine in each. [default: the cores, shared out]")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=64, help="Pictures of one call of an engine that takes several.")
    ] = 1,
    max_mb: Annotated[float, typer.Option(min=0.001, max=1024, help="Largest request, MB.")] = 20.0,
    max_megapixels: Annotated[float, typer.Option(min=0.001, max=256, help="Largest picture.")] = 50.0,
    max_requests: Annotated[int, typer.Option(min=1, max=4096, help="Under way at once; more are refused.")] = 32,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds until a request is given up.")] = 60.0,
) -> None:
    """Serve bundles over HTTP on Ray Serve until Ctrl-C: a picture in, JSON or the drawn picture out."""
    from pydantic import ValidationError

    from autommlab.cli.shared import say
    from autommlab.common.errors import RequestError, invalid
    from autommlab.model_service.running import running, with_port
    from autommlab.model_service.settings import ModelServiceSettings, named_bundles, usual_replicas

    values = {
        "models": named_bundles(bundles), "host": host, "port": port, "api_key": api_key,
        "replicas": replicas or usual_replicas(),
        "threads": threads, "batch": batch, "max_body_mb": max_mb, "max_megapixels": max_megapixels,
        "max_requests": max_requests, "request_timeout_s": timeout,
    }  # fmt: skip
    try:
        settings = ModelServiceSettings.model_validate(with_port(values))
    except ValidationError as error:
        raise RequestError(f"settings of the model service: {invalid(error)}") from error
    with running(settings, lambda step: say(f"{step} ...", error=True)) as service:
        _tell(service)
        service.watch()


def _tell(service: ModelService) -> None:
    from autommlab.cli.shared import say

    say(f"models ready at {service.url}/v1/models")
    for model in service.models:
        say(f"  {model['name']}: {model['task']} of {len(model['classes'])} class(es), {model['engine']}")
    first = service.models[0]["name"]
    key = ' -H "Authorization: Bearer $KEY"' if service.api_key else ""
    say(f"  ask: curl{key} --data-binary @photo.jpg {service.url}/v1/models/{first}/predict")
    say(f"  page of the API: {service.url}/docs")
    if service.key_file is not None:
        say(f"  key for clients: in {service.key_file}")
    say("  Ctrl-C ends it")
