"""The benchmark's variants of HPO-LLaMA: searchers like others, and different in what they are named for."""

from __future__ import annotations

from typing import Any

import pytest
from llm_fault_server import FaultServer

from searchers import create, names, needs_service
from searchers.testing import METRIC, SPACE, propose
from serve.settings import EMBEDDED_MODEL
from training_data_gen.benchmarks.ablations import ABLATIONS, register_ablations


@pytest.fixture(autouse=True)
def registered() -> None:
    register_ablations()
    register_ablations()


def asked_by(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the service is asked, and what the searcher tells of its proposal."""
    with FaultServer() as server:
        searcher: Any = create(name, SPACE, metric=METRIC, seed=0, service=server.url)
        propose(searcher, "t0")
        return server.requests[0], searcher.proposal_details("t0")


def test_they_are_searchers_that_need_the_service() -> None:
    assert set(ABLATIONS) < set(names())
    assert all(map(needs_service, ABLATIONS))


def test_each_differs_in_its_part_alone() -> None:
    whole, likely, untuned = (asked_by(name) for name in ("hpo-llama", *ABLATIONS))
    assert (whole[0]["n"], likely[0]["n"], untuned[0]["n"]) == (12, 4, 12)
    assert (whole[0]["model"], likely[0]["model"], untuned[0]["model"]) == ("hpo", "hpo", EMBEDDED_MODEL)
    assert whole[0]["messages"] == likely[0]["messages"] == untuned[0]["messages"]
    assert likely[1]["expected"] is None
    assert whole[1]["expected"] is not None
    assert [told["proposed_by"] for _, told in (whole, likely, untuned)] == ["hpo-llama", *ABLATIONS]
