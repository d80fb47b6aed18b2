"""AutoMMLab on Ray: one sentence becomes a trained, tuned, exported and verified vision model.

    import autommlab

    run = autommlab.run("Tell cats from dogs, on a CPU", data="pets/", time=20, progress=True)
    run.figures["test"], run.study.trials(), run.predict("photo.jpg")

Importing this package is cheap: what it offers is imported when it is first asked for, and torch, Ray or an
OpenMMLab toolbox when a stage needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autommlab.api.bundles import Bundle, load_bundle
    from autommlab.api.datasets import add_data
    from autommlab.api.requests import understand
    from autommlab.api.runs import Run, open_run
    from autommlab.api.starting import plan, resume, run
    from autommlab.api.studies import Study
    from autommlab.common.errors import AutoMMLabError

__version__ = "0.1.0"
__all__ = [
    "AutoMMLabError",
    "Bundle",
    "Run",
    "Study",
    "add_data",
    "load_bundle",
    "open_run",
    "plan",
    "resume",
    "run",
    "understand",
]
#: Name -> the module that has it.
_HOMES = {
    "AutoMMLabError": "autommlab.common.errors",
    "Bundle": "autommlab.api.bundles",
    "Run": "autommlab.api.runs",
    "Study": "autommlab.api.studies",
    "add_data": "autommlab.api.datasets",
    "load_bundle": "autommlab.api.bundles",
    "open_run": "autommlab.api.runs",
    "plan": "autommlab.api.starting",
    "resume": "autommlab.api.starting",
    "run": "autommlab.api.starting",
    "understand": "autommlab.api.requests",
}

if not TYPE_CHECKING:  # or every misspelt name would pass the type check

    def __getattr__(name: str) -> Any:
        """One of `__all__`, imported now."""
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
