"""A service that is down is not waited for at every proposal."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger(__name__)


class Breaker:
    """Closed while the service works; open after a failure, with a try now and then.

    Args:
        what: how the service is called in messages.
        probe_every_s: seconds between two tries while it is open.
    """

    def __init__(self, what: str, probe_every_s: float) -> None:
        self._what = what
        self._probe_every_s = probe_every_s
        self._tried_at = 0.0
        self.reason = ""

    @property
    def is_open(self) -> bool:
        """Whether the service counts as down."""
        return bool(self.reason)

    def may_probe(self) -> bool:
        """Whether it is time to try a service that is down."""
        return time.monotonic() - self._tried_at >= self._probe_every_s

    def failed(self, reason: str) -> None:
        """It did not work, a probe included."""
        if not self.reason:
            message = "%s does not work: %s. Proposals come from elsewhere until it is back; it is tried every %g s"
            logger.warning(message, self._what, reason, self._probe_every_s)
        self.reason = reason
        self._tried_at = time.monotonic()

    def worked(self) -> None:
        """It answered."""
        if self.reason:
            logger.warning("%s is back", self._what)
        self.reason = ""
