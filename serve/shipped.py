"""The adapters that come with this package: served from the start beside the base model that they were made for."""

from __future__ import annotations

from pathlib import Path

from serve.adapters import CONFIG_FILE
from serve.settings import ServiceSettings

#: A folder for each base model, and in it one for each adapter.
FOLDER = Path(__file__).with_name("shipped")


def shipped_adapters(settings: ServiceSettings, root: Path = FOLDER) -> dict[str, Path]:
    """Name -> folder; none for a base model that we have made no adapter for.

    Args:
        settings: of the service.
        root: where they lie.
    """
    own = root / settings.model_name
    return {file.parent.name: file.parent for file in sorted(own.glob(f"*/{CONFIG_FILE}"))}
