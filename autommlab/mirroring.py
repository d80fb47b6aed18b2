"""When a run's copy on a storage is brought up to date: a listener to the run's events."""

from __future__ import annotations

from autommlab.errors import StorageError
from autommlab.events import Event, Events
from autommlab.mirror import Mirror

#: A failure here ends the run: what follows builds on the stage, or nothing follows.
_COMPULSORY = frozenset({"stage-started", "stage-finished", "done"})
#: A failure here is told, and made good by the next push: training need not stop because a network does.
_WHERE_POSSIBLE = frozenset({"trial"})


class Mirroring:
    """Pushes after each stage and each trial; to be added after whoever writes the events themselves.

    Args:
        mirror: of the run folder.
        events: told where a push of a trial fails.
    """

    def __init__(self, mirror: Mirror, events: Events) -> None:
        self._mirror, self._events = mirror, events

    def __call__(self, event: Event) -> None:
        """Push, if this event is a moment for it.

        Raises:
            StorageError: the storage cannot be written at the begin or end of a stage.
        """
        if event.kind in _COMPULSORY:
            self._mirror.push()
        elif event.kind in _WHERE_POSSIBLE:
            try:
                self._mirror.push()
            except StorageError as error:
                self._events.emit("warning", event.stage, f"not copied yet, will be tried again: {error}")
