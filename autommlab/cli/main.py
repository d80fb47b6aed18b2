"""The `autommlab` program: its commands, and how errors reach a person."""

from __future__ import annotations

import os
import re
import sys
import traceback
from importlib.metadata import entry_points
from typing import Annotated

import typer

from autommlab import __version__
from autommlab.api.errors import as_ours
from autommlab.cli.bench import bench_app
from autommlab.cli.budget import profiles
from autommlab.cli.compare import compare
from autommlab.cli.data import data_app
from autommlab.cli.evaluate import evaluate_command
from autommlab.cli.jobs import FOR_RUN, fetch, list_jobs, logs, stop, submit
from autommlab.cli.models import models_app
from autommlab.cli.predict import predict_command
from autommlab.cli.push import push_command
from autommlab.cli.run import run
from autommlab.cli.run_options import HEADINGS
from autommlab.cli.serve import serve_app
from autommlab.cli.serve_model import serve_model
from autommlab.cli.shared import grouped_command, say
from autommlab.cli.status import status_command
from autommlab.cli.studio import studio
from autommlab.cli.understand import understand_command
from autommlab.common.environment import home, keep_bytecode
from autommlab.common.errors import tell_renamed
from autommlab.common.stopping import obey_signals, stopped
from autommlab.common.storage import refuse_secrets

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # square brackets in our texts are no markup
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=grouped_command(HEADINGS))(run)
app.command()(compare)
app.command(context_settings=FOR_RUN)(submit)
app.command(name="jobs")(list_jobs)
app.command()(logs)
app.command()(stop)
app.command()(fetch)
app.command(name="understand")(understand_command)
app.command(name="predict")(predict_command)
app.command(name="push")(push_command)
app.command(name="serve-model")(serve_model)
app.command(name="evaluate")(evaluate_command)
app.command(name="status")(status_command)
app.command()(studio)
app.command()(profiles)
app.add_typer(data_app, name="data")
app.add_typer(models_app, name="models")
app.add_typer(serve_app, name="serve")
app.add_typer(bench_app, name="bench")

#: Packages declare `name = "module:command"` or `"group.name" = ...`; a command is a function or a `typer.Typer`.
COMMAND_GROUP = "autommlab.commands"
#: What was typed before, and what is typed now; both work until the next release.
_RENAMED = {
    "race": "compare", "--experience": "--trial-history", "--triplets": "--trials", "--recipe": "--default",
    "--no-recipe": "--no-default", "--per-bag": "--per-dataset", "--bags": "--datasets",
}  # fmt: skip
_UNEXPECTED = 70
#: The option that may have several values, and what one of them begins with.
_PAIRS, _PAIR = "--cfg-options", re.compile(r"\w+(\.\w+)+=")


@app.command()
def searchers() -> None:
    """List the searchers that `run --searcher` takes: a line each, and the options with their defaults."""
    import textwrap

    from searchers import options_of, summaries

    explained = summaries()
    width = max(map(len, explained))
    for name, summary in explained.items():
        print(f"{name:{width}}  {summary}")
        options = options_of(name)
        told = ", ".join(map(str, options.values())) if options is not None else "not told by this searcher"
        if told:
            indent = " " * (width + 4)
            print(textwrap.fill(f"options: {told}", 110, initial_indent=indent, subsequent_indent=indent + " " * 9))
    print("\nAn option is given by --searcher-option NAME=VALUE; one without a value here is left to the searcher.")
    print('\nEach of them, "default" apart, also as NAME+default: the default configuration is tried first.')


@app.command()
def version() -> None:
    """Show the version."""
    print(f"autommlab {__version__}")


def _show_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def program(
    version_asked: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """One sentence becomes a trained, tuned, exported and verified vision model."""


def add_plugins(to: dict[str, typer.Typer]) -> None:
    """Add the commands that packages above this one declare under the entry-point group `COMMAND_GROUP`.

    Args:
        to: where a name's part before the last dot leads: "" for `autommlab NAME`, "bench" for `autommlab bench NAME`.
    """
    for plugin in sorted(entry_points(group=COMMAND_GROUP), key=lambda found: found.name):
        group, _, name = plugin.name.rpartition(".")
        command = plugin.load()
        if isinstance(command, typer.Typer):
            to[group].add_typer(command, name=name)
        else:
            to[group].command(name=name)(command)


add_plugins({"": app, "bench": bench_app})


def main() -> None:
    """Entry point: an error of ours is one clear message and its exit code, never a traceback."""
    obey_signals()
    keep_bytecode(home() / "bytecode")
    sys.argv[1:] = one_a_word(todays_words(sys.argv[1:]))
    os.environ.setdefault("MPLCONFIGDIR", str(home() / "matplotlib"))  # its own choice is HOME, perhaps read-only
    try:
        refuse_secrets(*sys.argv[1:])  # before any command repeats or stores a word of it
        app()
    except BaseException as error:
        sys.exit(_told(error))


def _told(error: BaseException) -> int | str | None:
    """Say what ended the program; its exit code."""
    signal = stopped()
    if signal is not None:  # whatever became of it on the way
        _complain(str(signal))
        return signal.exit_code
    if isinstance(error, SystemExit):
        return error.code
    known = as_ours(error)
    if known is not None:
        _complain(str(known))
        return known.exit_code
    traceback.print_exception(error)
    _complain("this is a fault of autommlab, not yours; please report it with the lines above")
    return _UNEXPECTED


def todays_words(arguments: list[str]) -> list[str]:
    """The command line with today's names of the command and its options; a notice for each that was renamed."""
    found = []
    for number, given in enumerate(arguments):
        word, equals, value = given.partition("=")
        if word in _RENAMED and (word.startswith("--") or number == 0):
            tell_renamed("option" if number else "command", word, _RENAMED[word])
            word = _RENAMED[word]
        found.append(word + equals + value)
    return found


def one_a_word(arguments: list[str]) -> list[str]:
    """`--cfg-options A=1 B=2`, as OpenMMLab's tools take it, with the option before each of its pairs."""
    found: list[str] = []
    for word in arguments:
        if found[-2:-1] == [_PAIRS] and _PAIR.match(word):
            found.append(_PAIRS)
        found.append(word)
    return found


def _complain(message: str) -> None:
    say(f"Error: {message}", error=True)
