"""What makes imports quicker is still needed, and changes nothing but the seconds."""

from __future__ import annotations

import gc
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from autommlab.common.quick_imports import ASKS_FOR_STACKS, inflect_engine, short_stacks, without_collector
from autommlab.training.tune_settings import quiet_tune


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_collector_is_as_before_afterwards() -> None:
    for on in (False, True):
        (gc.enable if on else gc.disable)()
        with without_collector():
            assert not gc.isenabled()
        assert gc.isenabled() is on


def test_mmdeploy_gets_a_short_stack_and_everybody_else_a_whole_one() -> None:
    asked = {"__name__": ASKS_FOR_STACKS, "inspect": inspect}
    exec("def called(): return inspect.stack()", asked)  # noqa: S102 - a function of that module
    with short_stacks():
        short, whole = asked["called"](), inspect.stack()  # type: ignore[operator]
    assert [each.function for each in short] == ["called", whole[0].function]
    assert inspect.getmodule(short[1].frame) is sys.modules[__name__]
    assert [each.function for each in whole] == [each.function for each in inspect.stack()]
    assert len(whole) > 2


def test_mmdeploy_still_asks_for_stacks_at_its_import() -> None:
    found = importlib.util.find_spec("mmdeploy")
    assert found is not None and found.origin is not None
    source = Path(found.origin).parents[1] / f"{ASKS_FOR_STACKS.replace('.', '/')}.py"
    assert "inspect.stack()" in source.read_text(), "no longer needed: take `short_stacks` out"


@pytest.mark.parametrize(("plain", "there"), [(True, "True"), (False, "False")])
def test_typeguard_comes_with_inflect_unless_it_is_left_out(plain: bool, there: str) -> None:
    load = "import inflect" if plain else "from autommlab.common.quick_imports import inflect_engine as e; e()"
    assert printed(f"import sys; {load}; print('typeguard' in sys.modules)") == there


def test_nouns_are_as_before() -> None:
    engine = inflect_engine()
    assert (engine.plural_noun("mouse"), engine.singular_noun("people"), engine.singular_noun("cat")) == (
        "mice", "person", False,
    )  # fmt: skip
    assert engine.compare_nouns("person", "persons") == "s:p"


def test_ray_tune_imports_no_tracker_to_report_its_use() -> None:
    from ray.air._internal import usage

    assert "MLflow" in inspect.getsource(usage._count_callbacks), "no longer needed"
    quiet_tune()
    assert usage.tag_callbacks([]) is False
