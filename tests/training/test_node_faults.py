"""What an exception in a trial says about its machine; nodes that fail for real are in tests/cluster."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from autommlab.training.failures import fault_of, leave

FULL = OSError(errno.ENOSPC, "No space left on device")
WRITER = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 1977024 vs 1976920")


@pytest.fixture
def small_files() -> Iterator[None]:
    """This process may write files of one megabyte, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("broken batch"),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        WRITER,
    ],
)
def test_a_trial_that_fails_by_itself_blames_no_machine(error: Exception, tmp_path: Path) -> None:
    assert fault_of(error, tmp_path) is None


@pytest.mark.parametrize(
    ("words", "of_node"),
    [
        ("CUDA error: uncorrectable ECC error encountered", True),
        ("No CUDA GPUs are available", True),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", True),
        ("CUDA error: device-side assert triggered", False),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", False),
    ],
)
def test_a_gpu_that_fails_costs_the_process_and_a_lost_one_the_node(words: str, of_node: bool, tmp_path: Path) -> None:
    fault = fault_of(RuntimeError(words), tmp_path)
    assert fault is not None
    assert (fault.of_node, words in fault.reason) == (of_node, True)


def test_a_full_storage_that_all_nodes_share_is_no_fault_of_the_node(tmp_path: Path) -> None:
    fault = fault_of(FULL, tmp_path)
    assert fault is not None
    assert (fault.of_node, "No space left" in fault.reason) == (False, True)


@pytest.mark.parametrize("error", [FULL, WRITER])
@pytest.mark.usefixtures("small_files")
def test_a_full_disk_of_the_node_is_found_whatever_the_words(error: Exception, tmp_path: Path) -> None:
    fault = fault_of(error, tmp_path)
    assert fault is not None
    assert (fault.of_node, "File too large" in fault.reason) == (True, True)


def test_without_ray_the_reason_is_all_that_is_told(tmp_path: Path) -> None:
    fault = fault_of(FULL, tmp_path)
    assert fault is not None
    assert str(leave(fault)) == fault.reason
