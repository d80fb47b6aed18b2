"""Silence for the toolboxes' own chatter: their tables and progress notes are no news to a user."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_toolboxes() -> Iterator[None]:
    """Inside the block: nothing on standard output, and loggers of OpenMMLab only tell errors."""
    from mmengine.logging import MMLogger

    loggers = [logging.getLogger("mmdeploy"), MMLogger.get_current_instance()]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
