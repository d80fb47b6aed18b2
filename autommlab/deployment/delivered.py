"""What a bundle held when it was delivered, to find out later that something of it is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from autommlab.common.stored import record_of
from autommlab.deployment.records import Deployment


def hashes_of(bundle: Path) -> dict[str, str]:
    """SHA-256 of every file of a bundle, by its path in it."""
    return {
        path.relative_to(bundle).as_posix(): _hash(path)
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def damaged(bundle: Path, delivered: Mapping[str, str]) -> list[str]:
    """Files that are lost or changed; `bundle.json` may be changed, for people set the device there."""
    found = []
    for name, digest in delivered.items():
        path = bundle / name
        if not path.is_file() or (name != "bundle.json" and _hash(path) != digest):
            found.append(name)
    return found


def changed_since_delivery(bundle: Path) -> list[str]:
    """Files that are not what the run delivered, where the bundle lies in its run; nothing is known of others."""
    try:
        noted = record_of(Deployment, (bundle.parent / "deployment.json").read_bytes())
    except (OSError, ValueError):
        return []
    return damaged(bundle, noted.files) if noted.bundle.name == bundle.name else []


def _hash(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
