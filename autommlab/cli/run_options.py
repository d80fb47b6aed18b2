"""The options of `autommlab run`, and the arguments of a run that they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from autommlab import settings

#: Of `run --help`.
HEADINGS = {
    "What": ("request", "parse", "data", "task", "classes", "model", "weights", "cfg_options", "engine", "device"),
    "Delivery": ("quantize", "quantize_loss"),
    "Budget": (
        "profile",
        "budget",
        "input_size",
        "images",
        "iterations",
        "batch",
        "trials",
        "time",
        "concurrent",
        "refit",
        "seed",
    ),
    "Search": ("searcher", "searcher_option", "scheduler"),
    "Cluster": ("address", "priority", "cpus_per_trial", "gpus_per_trial", "workers_per_trial", "acceleration"),
    "Output": ("out", "resume", "track", "optuna_storage", "require", "strict", "dry_run", "as_json"),
}
#: Names of options that are given once for each value, and of the arguments that hold all of them.
_REPEATED = {"searcher_option": "searcher_options"}
#: What the command line alone has.
OF_COMMAND = frozenset({"request", "resume", "require", "dry_run", "as_json", "submitted_as"})


def arguments_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a command line of `run` says, as `autommlab.api.arguments.RunArguments`."""
    # A repeatable option that was not given is an empty tuple: a run that goes on keeps its own.
    named = {name: value for name, value in parameters.items() if name not in OF_COMMAND and value != ()}
    return {_REPEATED.get(name, name): value for name, value in named.items()}


RequestText = Annotated[str, typer.Argument(help="What you want, in plain words.", show_default=False)]
Parse = Annotated[
    Path | None, typer.Option(help="JSON file with the finished parse of the request; skips understanding.")
]
Data = Annotated[str | None, typer.Option(help="Data set (name, folder or URI) instead of the request's.")]
TaskName = Annotated[str | None, typer.Option(help="Task instead of the one understood.")]
Classes = Annotated[str | None, typer.Option(help="Classes with commas, instead of those understood.")]
Model = Annotated[str | None, typer.Option(help="Model instead of the request's.")]
Weights = Annotated[
    Path | None, typer.Option(help="Pretrained weights, a .pth file; without --model, of the model that it is of.")
]
EngineName = Annotated[str | None, typer.Option(help="Inference engine instead of the request's.")]
QuantizeWhen = Annotated[
    str | None,
    typer.Option(
        "--quantize",
        help="INT8 model instead of the float one: never, always, or auto, which tries it where the float model misses "
        "the request's speed. [default: auto]",
    ),
]
QuantizeLoss = Annotated[
    float | None,
    typer.Option("--quantize-loss", help="Most of the figure that INT8 may lose on validation, 0..1. [default: 0.02]"),
]
DeviceName = Annotated[str | None, typer.Option(help="Device of the finished model, cpu or gpu.")]
ProfileName = Annotated[str | None, typer.Option(help="Budget: laptop, gpu or cluster. [default: laptop]")]
Budget = Annotated[
    Path | None,
    typer.Option("--budget", help="YAML file with a budget of your own over the profile; see `autommlab profiles`."),
]
InputSize = Annotated[
    str | None,
    typer.Option("--input-size", help="Pixels of training and inference: N or WxH. [default: the profile's]"),
]
Images = Annotated[
    str | None,
    typer.Option(
        "--images", help="Most training pictures, or all; validation and test in proportion. [default: the profile's]"
    ),
]
Iterations = Annotated[
    str | None, typer.Option("--iterations", help="Steps of a trial: LOW..HIGH or one number. [default: the profile's]")
]
Batch = Annotated[
    str | None, typer.Option("--batch", help="Pictures a step: LOW..HIGH or one number. [default: the profile's]")
]
CfgOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--cfg-options", help="KEY=VALUE in the toolbox's config, as model.head.loss.loss_weight=0.5; repeatable."
    ),
]
Searcher = Annotated[
    str | None, typer.Option(help="Who proposes hyperparameters; see `autommlab searchers`. [default: llm+grid]")
]
SearcherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--searcher-option",
        help="NAME=VALUE of the searcher, as llm_first=3; repeatable. `autommlab searchers` lists them.",
    ),
]
Scheduler = Annotated[str | None, typer.Option(help="Who stops hopeless trials: none, asha or median. [default: none]")]
Trials = Annotated[
    int | None, typer.Option(help="Trials; 0 = no search, the default configuration alone. [default: the profile's]")
]
Time = Annotated[
    float | None,
    typer.Option(help="Minutes of the whole run. [default: the profile's (laptop: 5), none with --trials]"),
]
RefitWhen = Annotated[
    str | None,
    typer.Option(
        "--refit",
        help="Train the delivered model on train and val: never, or auto, which does so where val is small and the "
        "time allows, after comparing the finalists over folds. [default: never]",
    ),
]
Concurrent = Annotated[int | None, typer.Option(help="Trials at once. [default: as many as fit]")]
CpusPerTrial = Annotated[float | None, typer.Option(help="CPUs of a trial. [default: the profile's]")]
GpusPerTrial = Annotated[
    float | None, typer.Option(help="GPUs of a trial, may be a fraction. [default: the profile's]")
]
WorkersPerTrial = Annotated[
    int | None,
    typer.Option(help="Processes that train one trial together; CPUs and GPUs are of each. [default: 1]"),
]
AccelerationText = Annotated[
    str | None,
    typer.Option(
        help="How trials use their device, NAME=VALUE with commas; off = none of it. Names: precision, "
        "loading-processes, cudnn-benchmark, channels-last, fused-optimizer, micro-batches. "
        "[default: the profile's]"
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of split, initialisation and searcher. [default: 0]")]
Out = Annotated[
    str | None,
    typer.Option(help="Run folder, or a storage: s3://, gs://, file:// ... [default: runs/<time>-<request>]"),
]
Resume = Annotated[
    str | None,
    typer.Option(
        help="Go on with the run in this folder or at this URI; more --trials or --time, other --searcher, "
        "--searcher-option, --scheduler, --concurrent, --acceleration, --track, --quantize, --quantize-loss, CPUs "
        "and GPUs take the place of its own."
    ),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="Tracker that gets curves, hyperparameters and result: tensorboard[=FOLDER], mlflow[=URI] or "
        "wandb[=PROJECT]; repeatable. With --resume, none takes them away.",
    ),
]
OptunaStorage = Annotated[
    str | None,
    typer.Option(
        help="Optuna storage that gets the trials: sqlite:///FILE, another database's URL, or a file for Optuna's "
        "journal. With --resume, none takes it away.",
    ),
]
Address = Annotated[
    str | None, typer.Option(help="Ray cluster, HOST:6379. [default: RAY_ADDRESS, else a private Ray here]")
]
Priority = Annotated[
    int, typer.Option(min=1, max=settings.MOST_PRIORITY, help="Weight against other requests on the same cluster.")
]
Require = Annotated[
    bool, typer.Option("--require", help="End with an error where a requirement of the request is not met.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Stop before training and show the plan.")]
AsJson = Annotated[bool, typer.Option("--json", help="Events as JSON lines on standard output.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="End with an error where something of the request stays uncertain.")
]
SubmittedAs = Annotated[str | None, typer.Option(hidden=True)]
