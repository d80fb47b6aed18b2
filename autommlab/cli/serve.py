"""`autommlab serve`: the LLM service up, down, what it serves, and a talk with it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autommlab.cli.shared import say
from autommlab.common.errors import LLMServiceError

if TYPE_CHECKING:
    from serve.lifecycle import ServiceAddress

serve_app = typer.Typer(no_args_is_help=True, help="The LLM service.")
adapters_app = typer.Typer(no_args_is_help=True, help="LoRA adapters of the running service.")
serve_app.add_typer(adapters_app, name="adapters")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_NOT_RUNNING = "no LLM service is running; `autommlab serve up` starts one"


@serve_app.command()
def up(
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="YAML or JSON file. [default: settings.yaml in its folder]")
    ] = None,
    base_model: Annotated[
        str | None, typer.Option("--base-model", help="Packaged model, local folder or hub id.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 takes any free one.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", envvar="AUTOMMLAB_LLM_KEY", help="What clients must send. [default: a random key]"),
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Ray cluster to deploy on. [default: RAY_ADDRESS, or this machine]")
    ] = None,
) -> None:
    """Start the service unless it runs; returns once it has generated an answer."""
    with _clear_errors():
        from serve.base_models import terms_of
        from serve.lifecycle import ensure_service
        from serve.settings import load_settings
        from serve.state import STATE_FILE, service_key

        settings = load_settings(settings_file, base_model=base_model, port=port, api_key=api_key, ray_address=address)
        started = time.monotonic()
        with _progress() as show:
            service = ensure_service(settings, show)
    print(f"LLM service ready at {service.url}/v1 after {time.monotonic() - started:.0f} s")
    print(f"  models: {', '.join(service.models)}")
    if terms := terms_of(settings.base_model):
        print(f"  terms of the base model: {terms}")
    if service_key(service.url, settings.folder):
        print(f"  key for other clients: api_key in {settings.folder / STATE_FILE}")


@serve_app.command()
def status(as_json: JsonOption = False) -> None:
    """Show whether the service runs, and what it serves. Exit code 1 if it does not."""
    with _clear_errors():
        from serve.lifecycle import find_service
        from serve.settings import service_folder
        from serve.state import LOG_FILE, read_state

        service = find_service()
        state = read_state(service_folder())
    if as_json:
        print(
            json.dumps(
                {
                    "running": service is not None,
                    "url": service.url if service else None,
                    "models": list(service.models) if service else [],
                    "phase": state.phase if state else None,
                    "pid": state.pid if state else None,
                    "error": state.error if state else None,
                }
            )
        )
    elif service:
        print(f"LLM service ready at {service.url}/v1")
        print(f"  models: {', '.join(service.models)}")
    elif state is None:
        say(_NOT_RUNNING)
    else:
        reason = state.error or ("its process is gone" if not state.alive else f"last known: {state.phase}")
        print(f"the LLM service does not answer: {reason}")
        print(f"  log: {service_folder() / LOG_FILE}")
    if service is None:
        raise typer.Exit(1)


@serve_app.command()
def down() -> None:
    """End the service and all its processes."""
    with _clear_errors():
        from serve.lifecycle import stop_service

        was_up = stop_service()
    print("LLM service ended" if was_up else "no LLM service was running")


@serve_app.command()
def chat(
    text: Annotated[str | None, typer.Argument(help="One question. [default: lines from standard input]")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Adapter or base model. [default: base model]")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer.")] = 256,
    temperature: Annotated[float, typer.Option("--temperature", min=0, help="0 = always the likeliest word.")] = 0.0,
) -> None:
    """Talk with the model; an empty line or Ctrl-D ends it."""
    with _clear_errors():
        from serve.client import Sampling

        service = _running()
        client = service.client(timeout_s=300)
        sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
        said: list[dict[str, str]] = []
        for line in [text] if text is not None else _lines():
            said.append({"role": "user", "content": line})
            answer = client.chat(said, model=model or service.models[0], sampling=sampling)
            said.append({"role": "assistant", "content": answer.samples[0].text})
            print(answer.samples[0].text)


@adapters_app.command("list")
def list_adapters(as_json: JsonOption = False) -> None:
    """List the adapters that can be asked for."""
    with _clear_errors():
        found = _running().client().adapters()
    if as_json:
        print(json.dumps(found))
        return
    for name, folder in found.items():
        print(f"{name}  {folder}")
    if not found:
        say("no adapters; `autommlab serve adapters add NAME FOLDER` adds one")


@adapters_app.command("add")
def add_adapter(
    name: Annotated[str, typer.Argument(help="What clients give as model.")],
    folder: Annotated[Path, typer.Argument(help="As PEFT writes it: adapter_config.json, adapter_model.safetensors.")],
) -> None:
    """Add a LoRA adapter without a restart, or replace the one of that name."""
    with _clear_errors():
        _running().client(timeout_s=300).add_adapter(name, folder)
    print(f"adapter {name} is served")


@adapters_app.command("remove")
def remove_adapter(name: Annotated[str, typer.Argument(help="Of the adapter.")]) -> None:
    """Take an adapter away without a restart."""
    with _clear_errors():
        _running().client().remove_adapter(name)
    print(f"adapter {name} is gone")


def _running() -> ServiceAddress:
    from serve.lifecycle import find_service

    service = find_service()
    if service is None:
        raise LLMServiceError(_NOT_RUNNING)
    return service


def _lines() -> Iterator[str]:
    while True:
        if sys.stdin.isatty():
            print("> ", end="", flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Phases of a start: one moving line on a terminal, plain lines otherwise."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda phase: print(f"{phase} ...", file=sys.stderr, flush=True)
        return
    with console.status("starting the LLM service") as moving:
        yield lambda phase: moving.update(f"LLM service: {phase}")


@contextmanager
def _clear_errors() -> Iterator[Any]:
    from serve.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        raise LLMServiceError(str(error)) from error
