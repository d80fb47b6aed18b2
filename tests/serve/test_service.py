"""The real service on a tiny model: adapters, schemas, samples, keys, and a replica that dies."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from serve.client import Answer, Sampling, ServiceClient
from serve.errors import ServiceError, ServiceRefused
from serve.lifecycle import ServiceAddress
from serve.settings import ServiceSettings
from serve.state import processes_of
from serve.testing import tiny_adapter
from tests.helpers.service_processes import ENGINE, REPLICA, processes, send

pytestmark = pytest.mark.slow

ASKED = [{"role": "user", "content": "Name a colour."}]
SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green", "blue"]},
        "share": {"type": "integer", "minimum": 1, "maximum": 9},
        "tags": {"type": "array", "items": {"enum": ["warm", "cold"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["colour", "share", "tags"],
    "additionalProperties": False,
}
SHORT = Sampling(max_tokens=16)


@pytest.fixture
def client(service: ServiceAddress) -> ServiceClient:
    return service.client(timeout_s=120)


@pytest.fixture(scope="module")
def served(service: ServiceAddress, adapters: dict[str, Path]) -> dict[str, Path]:
    """All three adapters are served."""
    for name, folder in adapters.items():
        service.client(timeout_s=120).add_adapter(name, folder)
    return adapters


def say(client: ServiceClient, model: str, sampling: Sampling = SHORT) -> Answer:
    return client.chat(ASKED, model=model, sampling=sampling)


def test_a_model_of_ones_own_starts_with_no_shipped_adapter(client: ServiceClient) -> None:
    assert not {"ru", "hpo"} & set(client.models())


def test_three_adapters_answer_together_each_in_its_own_way(
    client: ServiceClient, service: ServiceAddress, served: dict[str, Path]
) -> None:
    assert set(served) <= set(client.models())
    assert set(client.adapters()) == set(served)
    models = [service.models[0], *served]
    alone = {model: say(client, model).samples[0].text for model in models}
    assert len(set(alone.values())) == len(models)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda model: say(client, model), models * 2))
    assert [answer.model for answer in together] == models * 2
    assert [answer.samples[0].text for answer in together] == [alone[model] for model in models * 2]


def test_the_queue_can_be_looked_at(client: ServiceClient, service: ServiceAddress) -> None:
    long = Sampling(samples=2, temperature=1.0, max_tokens=500)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(say, client, service.models[0], long) for _ in range(2)]
        seen = 0
        while not all(future.done() for future in asked):
            seen = max(seen, client.load().running)
            time.sleep(0.05)
    assert seen > 0
    assert (client.load().running, client.load().waiting) == (0, 0)


def test_an_answer_obeys_its_schema(client: ServiceClient, service: ServiceAddress, served: dict[str, Path]) -> None:
    for model in (service.models[0], *served):
        drawn = Sampling(samples=4, temperature=1.0, max_tokens=64, seed=3)
        answer = client.chat(ASKED, model=model, schema=SCHEMA, sampling=drawn)
        for sample in answer.samples:
            assert sample.complete
            assert "\n" not in sample.text
            value = json.loads(sample.text)
            assert list(value) == ["colour", "share", "tags"]
            assert value["colour"] in {"red", "green", "blue"}
            assert 1 <= value["share"] <= 9
            assert 1 <= len(value["tags"]) <= 2


def test_samples_differ_and_repeat_with_their_seed(client: ServiceClient, service: ServiceAddress) -> None:
    first, again, other = (
        say(client, service.models[0], Sampling(samples=8, temperature=1.0, max_tokens=8, seed=seed))
        for seed in (1, 1, 2)
    )
    texts = [sample.text for sample in first.samples]
    assert len(set(texts)) > 4
    assert texts == [sample.text for sample in again.samples]
    assert texts != [sample.text for sample in other.samples]


def test_samples_carry_their_likelihood(client: ServiceClient, service: ServiceAddress) -> None:
    greedy = say(client, service.models[0])
    assert greedy.samples[0].logprob is not None
    assert greedy.samples[0].logprob <= 0
    assert 0 < greedy.samples[0].tokens <= SHORT.max_tokens
    assert greedy.tokens == greedy.samples[0].tokens
    assert greedy.prompt_tokens > 5


def test_an_adapter_comes_changes_and_goes_without_a_restart(
    client: ServiceClient, tiny: ServiceSettings, tmp_path: Path, service: ServiceAddress
) -> None:
    engines = processes(tiny, ENGINE)
    assert engines
    with pytest.raises(ServiceRefused, match=r"404.*passing-guest"):
        say(client, "passing-guest")
    folder = tiny_adapter(Path(tiny.base_model), tmp_path / "guest", seed=11)
    client.add_adapter("passing-guest", folder)
    first = say(client, "passing-guest").samples[0].text
    tiny_adapter(Path(tiny.base_model), folder, seed=12)
    assert say(client, "passing-guest").samples[0].text == first, "the service reads its own copy"
    client.add_adapter("passing-guest", folder)
    second = say(client, "passing-guest").samples[0].text
    assert second != first, "neither old weights nor old cache blocks"
    client.remove_adapter("passing-guest")
    with pytest.raises(ServiceRefused, match="404"):
        say(client, "passing-guest")
    tiny_adapter(Path(tiny.base_model), folder, seed=11)
    client.add_adapter("passing-guest", folder)
    assert say(client, "passing-guest").samples[0].text == first
    client.remove_adapter("passing-guest")
    assert processes(tiny, ENGINE) == engines


def test_bad_adapters_are_refused_with_the_reason(
    client: ServiceClient, service: ServiceAddress, tmp_path: Path, tiny: ServiceSettings
) -> None:
    with pytest.raises(ServiceRefused, match=r"adapter_config\.json"):
        client.add_adapter("none", tmp_path)
    with pytest.raises(ServiceRefused, match=r"rank 64.*max_adapter_rank"):
        client.add_adapter("wide", tiny_adapter(Path(tiny.base_model), tmp_path / "wide", seed=1, rank=64))
    with pytest.raises(ServiceRefused, match="is the base model"):
        client.add_adapter(service.models[0], tmp_path)
    with pytest.raises(ServiceRefused, match="no adapter 'none'"):
        client.remove_adapter("none")
    assert not {"none", "wide"} & set(client.models())


def test_only_the_right_key_is_let_in(service: ServiceAddress) -> None:
    for key in (None, "wrong"):
        with pytest.raises(ServiceRefused, match="401"):
            ServiceClient(service.url, api_key=key).models()


def test_refusals_of_the_engine_reach_the_caller(client: ServiceClient, service: ServiceAddress) -> None:
    with pytest.raises(ServiceRefused, match=r"400.*context length"):
        client.chat([{"role": "user", "content": "word " * 9000}], model=service.models[0])


def ask(url: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    """Status and text of a plain request."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    content = None if body is None else json.dumps(body)
    sent = {"Content-Type": "application/json", **headers}
    connection.request("GET" if body is None else "POST", path, content, sent)
    with contextlib.closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read().decode()


def test_health_and_metrics(service: ServiceAddress) -> None:
    assert ask(service.url, "/health")[0] == 200
    assert ask(service.url, "/metrics")[0] == 401
    status, text = ask(service.url, "/metrics", Authorization=f"Bearer {service.api_key}")
    assert status == 200
    assert "vllm:generation_tokens_total" in text


@pytest.mark.parametrize("key", [None, "test-key"])
def test_only_listed_routes_and_our_own_host_are_served(service: ServiceAddress, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked = {"model": service.models[0], "messages": ASKED, "prompt": "x", "max_tokens": 1}
    for path, body in (
        ("/invocations", asked),
        ("/v1/completions", asked),
        ("/tokenize", asked),
        ("/scale_elastic_ep", {}),
        ("/load", None),
        ("/version", None),
    ):
        assert ask(service.url, path, body, **headers)[0] == (404 if key else 401), path
    assert ask(service.url, "/v1/models", Host="evil.example", **headers)[0] == 421


def test_one_request_cannot_take_the_service_from_others(service: ServiceAddress) -> None:
    key = {"Authorization": f"Bearer {service.api_key}"}
    for greedy in ({"n": 10_000}, {"n": "10000"}, {"prompt_logprobs": 20}, {"use_beam_search": True, "n": 32}):
        body = {"model": service.models[0], "messages": ASKED, "max_tokens": 4, "temperature": 1.0, **greedy}
        assert ask(service.url, "/v1/chat/completions", body, **key)[0] == 400, greedy
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may hang up before it has got all of it
        assert ask(service.url, "/v1/chat/completions", {"messages": "x" * (5 * 2**20)}, **key)[0] == 413
    assert ask(service.url, "/health")[0] == 200


def test_a_damaged_table_of_adapters_takes_nothing_down(
    client: ServiceClient, service: ServiceAddress, served: dict[str, Path], tiny: ServiceSettings
) -> None:
    table = tiny.folder / "adapters" / "table.json"
    whole = table.read_bytes()
    table.write_text("[{]")
    try:
        assert ask(service.url, "/health")[0] == 200
        assert set(served) <= set(client.models())
        with pytest.raises(ServiceRefused, match="is damaged"):
            client.add_adapter("another", next(iter(served.values())))
    finally:
        table.write_bytes(whole)
    assert set(served) <= set(client.models())


def test_an_adapter_of_another_base_model_is_refused_and_leaves_nothing(
    client: ServiceClient, tiny: ServiceSettings, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tiny_adapter(Path(tiny.base_model), tmp_path / "wide", seed=1)
    weights = load_file(folder / "adapter_model.safetensors")
    wide = {name: each.repeat(2, axis=1) if "lora_A" in name else each for name, each in weights.items()}
    save_file(wide, folder / "adapter_model.safetensors")
    with pytest.raises(ServiceRefused, match=r"this base model needs 8 x (64|128)"):
        client.add_adapter("wide", folder)
    assert not list((tiny.folder / "adapters").glob("wide*"))


def test_it_listens_on_loopback_only(service: ServiceAddress, tiny: ServiceSettings) -> None:
    open_to_all = []
    for process in processes_of(tiny.folder):
        for connection in process.net_connections("inet"):
            address = connection.laddr.ip.removeprefix("::ffff:")
            if connection.status == psutil.CONN_LISTEN and address not in {"127.0.0.1", "::1"}:
                open_to_all.append((process.name(), address))
    assert not open_to_all


@pytest.mark.parametrize("victim", [ENGINE, pytest.param(REPLICA, marks=pytest.mark.long)])
def test_what_is_killed_comes_back_with_its_adapters(
    client: ServiceClient, tiny: ServiceSettings, served: dict[str, Path], victim: str
) -> None:
    name = next(iter(served))
    before = say(client, name).samples[0].text
    engines, killed = processes(tiny, ENGINE), processes(tiny, victim)
    assert engines
    assert killed
    send(killed, signal.SIGKILL)
    quick = ServiceClient(client.url, api_key=client.api_key, timeout_s=30)
    deadline = time.monotonic() + 300
    while True:
        try:
            after = say(quick, name).samples[0].text
            break
        except ServiceError:
            assert time.monotonic() < deadline, "Ray Serve did not replace the replica"
            time.sleep(1)
    assert after == before
    (engine,) = processes(tiny, ENGINE)
    assert engine not in engines, "the engine of the dead replica is still there"
