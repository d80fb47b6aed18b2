"""Secrets in URIs: refused where they come in, and hidden in what says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autommlab.common.errors import StorageError
from autommlab.common.storage import place_of, refuse_secrets, shown_uri

SECRET = "wJalr/XUtn+FEMI"  # noqa: S105 - made up
CARRIERS = {
    f"s3://AKIA:{SECRET}@bucket/run": "s3://***@bucket/run",
    f"s3://AKIA:{SECRET.replace('/', '%2F')}@bucket/run?region=eu": "s3://***@bucket/run?region=eu",
    f"s3://bucket/run?secret_key={SECRET}&region=eu": "s3://bucket/run?secret_key=***&region=eu",
    f"s3://bucket/run?region=eu&session_token={SECRET}": "s3://bucket/run?region=eu&session_token=***",
    f"s3://bucket?endpoint_override=http%3A%2F%2Fme%3A{SECRET}%40host": "s3://bucket?endpoint_override=***",
    f"abfss://:{SECRET}@account.blob.core.windows.net/x": "abfss://***@account.blob.core.windows.net/x",
    f"abfs://box@account/x?sig={SECRET}": "abfs://box@account/x?sig=***",
    f"hdfs://me:{SECRET}@host:8020/x": "hdfs://***@host:8020/x",
    f"gs://bucket/x?API_KEY={SECRET}": "gs://bucket/x?API_KEY=***",
    f"http://me:{SECRET.replace('/', '-')}@host:8473/v1": "http://***@host:8473/v1",
    f"https://{SECRET.replace('/', '-')}@host/v1": "https://***@host/v1",
    f"https://host/v1?key={SECRET}": "https://host/v1?key=***",
}
HARMLESS = (
    "s3://bucket/a:b@c",
    "s3://bucket?endpoint_override=127.0.0.1:9000&scheme=http",
    "hdfs://host:8020/data@2024?user=me",
    "abfs://container@account.dfs.core.windows.net/x",
    "gs://anonymous@bucket/x",
    "file:///tmp/a%20b/é",
    "http://host:8473/v1",
    "https://host/team@work",
)


@pytest.mark.parametrize(("uri", "hidden"), CARRIERS.items())
def test_a_secret_is_refused_and_not_repeated(uri: str, hidden: str) -> None:
    assert shown_uri(uri) == hidden
    for read in (place_of, refuse_secrets, lambda uri: refuse_secrets(f"train on {uri} please")):
        with pytest.raises(StorageError) as told:
            read(uri)
        assert f"{hidden} carries a secret" in str(told.value)
        assert SECRET not in str(told.value)


@pytest.mark.parametrize("uri", HARMLESS)
def test_other_uris_stay_as_they_were_written(uri: str) -> None:
    assert shown_uri(uri) == uri
    refuse_secrets(uri, "plain/folder", f"words with {uri}")


@pytest.mark.parametrize(
    "words",
    [
        ["run", "x", "--out", "URI"],
        ["run", "--resume=URI"],
        ["run", "use the set at URI"],
        ["run", "x", "--data", "URI"],
        ["submit", "x", "--out", "URI"],
        ["fetch", "URI"],
        ["status", "URI"],
        ["data", "add", "URI"],
        ["no-such-command", "URI"],
    ],
)
def test_no_command_repeats_or_stores_one(words: list[str], tmp_path: Path) -> None:
    uri = f"s3://AKIA:{SECRET}@bucket/run"
    code = "from autommlab.cli import main; main()"
    line = [sys.executable, "-c", code, *(word.replace("URI", uri) for word in words)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == StorageError.exit_code
    assert "s3://***@bucket/run carries a secret" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
