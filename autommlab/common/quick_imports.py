"""Imports of others' packages, in less time. Each helper has a test that fails once it is no longer needed."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import inflect

ASKS_FOR_STACKS = "mmdeploy.apis.core.pipeline_manager"


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Inside the block Python looks for no circles of garbage: in a large import that is a quarter of its seconds."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def short_stacks() -> Iterator[None]:
    """Inside the block `inspect.stack` gives MMDeploy its caller and who called that, without their sources.

    MMDeploy asks at its import, for each of its pipelines, which module it is in; Python then looks up the source of
    each frame among all modules, which takes 4 s of CPU after a toolbox has been imported.
    """

    def stack(context: int = 1) -> list[inspect.FrameInfo]:
        asking = sys._getframe(1)
        if asking.f_globals.get("__name__") != ASKS_FOR_STACKS:
            return inspect.getouterframes(asking, context)
        frames = [asking, *([asking.f_back] if asking.f_back else [])]
        return [inspect.FrameInfo(f, f.f_code.co_filename, f.f_lineno, f.f_code.co_name, None, None) for f in frames]

    whole, inspect.stack = inspect.stack, stack
    try:
        yield
    finally:
        inspect.stack = whole


@functools.cache
def inflect_engine() -> inflect.engine:
    """Singulars and plurals of English nouns; the first call imports inflect, for whoever compares names.

    Typeguard, which would compile each of its functions anew, is left out: three quarters of the import, 1.5 s.
    """
    name = "typeguard"
    stand_in, kept = types.ModuleType(name), sys.modules.get(name)
    stand_in.typechecked = lambda function: function  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    try:
        import inflect
    finally:
        del sys.modules[name]
        if kept is not None:
            sys.modules[name] = kept
    return inflect.engine()
