"""Checkpoints are read as data: every tensor of real-shaped ones, and nothing of what is pickled beside them runs."""

from __future__ import annotations

import collections
import contextlib
import io
import pickle
import pickletools
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import ModelError
from autommlab.common.pickled_data import AttackError, Unread, read_pickle

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "in a row"])


def tensors() -> dict[str, torch.Tensor]:
    whole = torch.arange(24.0).reshape(2, 3, 4)
    return {
        "whole": whole,
        "view": whole[1:, ::2].transpose(0, 2),
        "half": torch.randn(3).half(),
        "brain": torch.randn(5).bfloat16(),
        "flags": torch.tensor([True, False]),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 4),
        "bytes": torch.arange(9, dtype=torch.uint8),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }


def old_config(name: str) -> type:
    """A class as mmcv's ConfigDict was: a dict with attributes, which pickles item by item."""
    module = types.ModuleType(name)
    kind = type("ConfigDict", (dict,), {"__module__": name})
    module.ConfigDict = kind  # type: ignore[attr-defined]
    sys.modules[name] = module
    return kind


@pytest.fixture
def beside(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What checkpoints of OpenMMLab hold beside their tensors."""
    from mmengine.config import Config, ConfigDict
    from mmengine.logging import HistoryBuffer

    loss = HistoryBuffer(np.arange(5.0), np.ones(5))
    mmcv = old_config("mmcv_of_old")
    try:
        yield {
            "meta": {
                "best": np.float64(0.5),
                "when": np.arange(3),
                "config": Config({"model": {"type": "Net", "depth": 18}}, format_python_code=False),
                "part": ConfigDict(a=ConfigDict(b=1)),
                "old": mmcv(a=mmcv(b=[1, 2]), c=(1, 2)),
                "counts": collections.defaultdict(list, {"a": [1]}),
                "recent": collections.deque([1, 2], maxlen=3),
                "folder": Path("work_dirs"),
                "classes": ("cat", "dog"),
                "epoch": 300,
            },
            "message_hub": {"log_scalars": {"loss": loss}, "runtime_info": OrderedDict(lr=np.float32(0.1))},
        }
    finally:
        del sys.modules["mmcv_of_old"]


@FORMATS
def test_every_tensor_comes_back_from_a_checkpoint_with_extras(
    zipped: bool, beside: dict[str, Any], tmp_path: Path
) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = module.state_dict()
    state.update(tensors())
    torch.save({"state_dict": state, **beside}, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    before = set(sys.modules)
    found = load_checkpoint(tmp_path / "net.pth")
    assert set(sys.modules) == before, "nothing is imported"
    got = found["state_dict"]
    assert list(got) == list(state)
    for name, value in state.items():
        assert got[name].dtype == value.dtype, name
        assert torch.equal(got[name], value), name
    assert vars(got)["_metadata"] == vars(state)["_metadata"], "toolboxes convert old tensors by these versions"
    assert found["meta"]["epoch"] == 300
    assert found["meta"]["classes"] == ("cat", "dog")
    assert isinstance(found["meta"]["old"], Unread)


#: How files of torch before 1.6 begin.
HEAD = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)


class _Payload:
    """Sets a mark as it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import sys; sys.modules['payload_ran'] = sys",))


#: Words of pickle's machine that call something, by hand: each would set the mark.
_CODE = "import sys; sys.modules['payload_ran'] = sys"
BY_HAND = {
    "INST": f"(V{_CODE}\nibuiltins\nexec\n.",
    "OBJ": f"(cbuiltins\nexec\nV{_CODE}\no.",
    "REDUCE of an attribute": f"cbuiltins\ngetattr\n(cbuiltins\nexec\nV__call__\ntR(V{_CODE}\ntR.",
    "an alias": f"cnumpy.testing._private.utils\nrunstring\n(V{_CODE}\n}}tR.",
    "a name with dots": f"\x80\x04\x8c\x08builtins\x8c\x04exec\x93(V{_CODE}\ntR.",
    "a state": "cmmengine.logging.history_buffer\nHistoryBuffer\n(V__setstate__\ncbuiltins\nexec\ndb.",
}


@pytest.fixture
def no_payload() -> Iterator[None]:
    sys.modules.pop("payload_ran", None)
    yield
    assert "payload_ran" not in sys.modules, "the payload ran"


@FORMATS
def test_a_planted_payload_is_told_and_does_not_run(zipped: bool, no_payload: None, tmp_path: Path) -> None:
    torch.save(
        {"state_dict": tensors(), "meta": _Payload()}, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(ModelError, match=r"names __builtin__.exec: it was made .* Nothing of it was run"):
        load_checkpoint(tmp_path / "net.pth")


@pytest.mark.parametrize("pickled", BY_HAND.values(), ids=BY_HAND)
def test_no_word_of_the_machine_calls_anything(pickled: str, no_payload: None) -> None:
    try:
        found = read_pickle(io.BytesIO(pickled.encode("latin1")), {}, lambda _: None)
    except AttackError:
        return
    assert isinstance(found, Unread), "what is on no list of attacks is not obeyed either"


def test_a_legacy_container_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The legacy reader of torch writes a .patch file for a persistent id of this kind."""
    monkeypatch.chdir(tmp_path)
    body = b"(Vmodule\ncevil\nName\nVfile.py\nVsource\ntQ."
    (tmp_path / "net.pth").write_bytes(HEAD + body + pickle.dumps([], 2))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_checkpoint(tmp_path / "net.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]


@FORMATS
def test_a_file_that_is_cut_off_is_damaged_not_zero(zipped: bool, tmp_path: Path) -> None:
    file = tmp_path / "net.pth"
    torch.save({"state_dict": {"a": torch.ones(5000)}}, file, _use_new_zipfile_serialization=zipped)
    for keep in (0, 10, 300, file.stat().st_size - 4000):
        (tmp_path / "cut.pth").write_bytes(file.read_bytes()[:keep])
        with pytest.raises(ModelError, match=r"cut\.pth cannot be loaded"):
            load_checkpoint(tmp_path / "cut.pth")


def test_a_tensor_that_claims_more_memory_than_the_file_has_is_refused(tmp_path: Path) -> None:
    told = b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nL900000000000L\nNtQK\x00"
    (tmp_path / "net.pth").write_bytes(
        HEAD + told + b"(I9\nt(I1\nt\x89NtR." + pickle.dumps(["0"], 2) + struct.pack("<q", 9)
    )
    with pytest.raises(ModelError, match="larger than the file"):
        load_checkpoint(tmp_path / "net.pth")


def test_a_view_outside_of_its_memory_is_refused(tmp_path: Path) -> None:
    file, forged = tmp_path / "net.pth", tmp_path / "forged.pth"
    torch.save({"a": torch.zeros(4)}, file)
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("data.pkl"):
                assert content.count(b"K\x04\x85") == 1
                content = content.replace(b"K\x04\x85", b"K\x09\x85")
            target.writestr(name, content)
    with pytest.raises(ModelError, match=r"forged\.pth cannot be loaded"):
        load_checkpoint(forged)


def test_a_program_of_torchscript_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pth", "w") as archive:
        archive.writestr("net/constants.pkl", b"")
        archive.writestr("net/data.pkl", b"N.")
    with pytest.raises(ModelError, match="TorchScript program"):
        load_checkpoint(tmp_path / "net.pth")


#: Values that pickle writes without naming anything.
_PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=20),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(_PLAIN, st.sampled_from([4, 5]))
def test_plain_values_are_what_pickle_reads(value: Any, protocol: int) -> None:
    assert read_pickle(io.BytesIO(pickle.dumps(value, protocol)), {}, lambda _: None) == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.lists(st.sampled_from([word.code for word in pickletools.opcodes]), max_size=12))
def test_noise_is_an_error_and_nothing_worse(noise: bytes, words: list[str]) -> None:
    content = "".join(words).encode("latin1") + noise + b"."
    with contextlib.suppress(AttackError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
        read_pickle(io.BytesIO(content), {}, lambda _: None)
