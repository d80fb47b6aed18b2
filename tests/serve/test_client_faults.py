"""Each way in which a service can fail has its own error class."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import SearcherError
from autommlab.status.clusters import service_status
from searchers.llm.hpo_llama import service_client
from serve.client import Sampling, ServiceClient
from serve.errors import (
    ServiceError,
    ServiceNonsense,
    ServiceRefused,
    ServiceSettingsError,
    ServiceStartError,
    ServiceTimeout,
    ServiceUnreachable,
)
from serve.lifecycle import ensure_service, find_service
from serve.settings import KEY_VARIABLE, URL_VARIABLE
from tests.helpers.fault_server import fault_server

ASKED = [{"role": "user", "content": "hello"}]


def chat(url: str, **options: Any) -> Any:
    return ServiceClient(url, timeout_s=options.pop("timeout_s", 5)).chat(ASKED, model="any", **options)


def completion(*texts: object) -> bytes:
    choices = [
        {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return json.dumps({"id": "x", "object": "chat.completion", "created": 0, "model": "any", "choices": choices,
                       "usage": usage}).encode()  # fmt: skip


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ServiceUnreachable, match="cannot be reached"):
            chat(f"http://127.0.0.1:{unused.getsockname()[1]}")


def test_it_hangs_up_in_the_middle() -> None:
    with fault_server(hang_up=True) as url, pytest.raises(ServiceUnreachable):
        chat(url)


def test_a_stalled_service_is_not_waited_for() -> None:
    with (
        fault_server(completion("late"), stall_s=30) as url,
        pytest.raises(ServiceTimeout, match="no answer in time"),
    ):
        chat(url, timeout_s=0.5)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 503])
def test_a_refusal_tells_its_status(status: int) -> None:
    body = b'{"error": {"message": "no such model"}}'
    with fault_server(body, status=status) as url, pytest.raises(ServiceRefused, match=str(status)):
        chat(url)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>", b"", b"{", b"[]", b"null", b"42", b'{"choices": null}', b'{"choices": [{}]}',
        completion(), completion("one", "two"), completion(None), completion({"a": 1}), b"\xff\xfe\x00rubbish",
    ],
)  # fmt: skip
def test_rubbish_is_told_apart(body: bytes) -> None:
    with fault_server(body) as url, pytest.raises(ServiceNonsense):
        chat(url)


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b"[1]", b'{"data": [1]}', b'{"data": 7}', b'{"data": [{}]}'])
def test_a_rubbish_list_of_models(body: bytes) -> None:
    with fault_server(body) as url, pytest.raises(ServiceNonsense):
        ServiceClient(url, timeout_s=5).models()


def test_every_error_is_a_service_error() -> None:
    for error in (ServiceUnreachable, ServiceTimeout, ServiceRefused, ServiceNonsense):
        assert issubclass(error, ServiceError)


def test_more_samples_than_given() -> None:
    with fault_server(completion("one")) as url, pytest.raises(ServiceNonsense, match="asked for 3"):
        chat(url, sampling=Sampling(samples=3, temperature=1.0))


def test_a_client_can_be_pickled_after_use() -> None:
    with fault_server(completion("hello")) as url:
        client = ServiceClient(url + "/v1/")
        assert client.chat(ASKED, model="any").samples[0].text == "hello"
        again = pickle.loads(pickle.dumps(client))  # noqa: S301 - our own bytes
        assert again.chat(ASKED, model="any").samples[0].text == "hello"


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(b'{"object": "list", "data": [{"id": "elsewhere", "object": "model"}]}') as url:
        monkeypatch.setenv(URL_VARIABLE, url + "/v1")
        monkeypatch.setenv(KEY_VARIABLE, "secret")
        found = find_service()
        assert found is not None
        assert (found.url, found.api_key, found.models) == (url, "secret", ("elsewhere",))
        assert ensure_service() == found


def test_a_dead_service_of_the_environment_is_not_replaced_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(b"rubbish") as url:
        monkeypatch.setenv(URL_VARIABLE, url)
        assert find_service() is None
        with pytest.raises(ServiceError, match="AUTOMMLAB_LLM_URL names an LLM service that cannot be used"):
            ensure_service()


def test_a_pickled_client_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = pickle.dumps(ServiceClient("http://127.0.0.1:1/v1", api_key="very-secret", timeout_s=5))
    assert b"very-secret" not in stored
    monkeypatch.setenv(KEY_VARIABLE, "of the environment")
    again = pickle.loads(stored)  # noqa: S301 - our own bytes
    assert (again.url, again.timeout_s, again.api_key) == ("http://127.0.0.1:1", 5, "of the environment")


SECRET = "wJalrXUtnFEMI"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "url",
    [f"http://me:{SECRET}@127.0.0.1:9", f"https://{SECRET}@127.0.0.1:9/v1", f"http://127.0.0.1:9/v1?key={SECRET}"],
)
def test_a_secret_in_the_address_is_refused_and_never_shown(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ServiceSettingsError, match=f"carries a secret.*{KEY_VARIABLE}") as told:
        ServiceClient(url)
    assert SECRET not in str(told.value)
    monkeypatch.setenv(URL_VARIABLE, url)
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    with pytest.raises(SearcherError, match="carries a secret"):
        service_client("hpo-llama", None, 1.0)
    with pytest.raises(ServiceStartError, match="carries a secret"):
        ensure_service()
    assert SECRET not in service_status().model_dump_json()


def test_no_command_shows_it(tmp_path: Path) -> None:
    url = f"http://me:{SECRET}@127.0.0.1:9"
    environment = {**os.environ, URL_VARIABLE: url, "AUTOMMLAB_HOME": str(tmp_path)}
    for words in (["status"], ["serve", "chat", "hello"], ["understand", "find cats"]):
        line = [sys.executable, "-m", "autommlab", *words]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode != 70, done.stderr
        assert SECRET not in done.stdout + done.stderr, words


def test_what_is_no_address_at_all_is_told() -> None:
    for url in ("http://[x", "http://host:port", "nonsense"):
        with pytest.raises(ServiceUnreachable):
            ServiceClient(url).models()
