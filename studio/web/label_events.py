"""Changes of annotations, told to other tabs as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from storage.catalog import LabelOperations, OperationRecord
from storage.errors import Conflict

from .labelling_requests import shown_changes

_LOOK_EVERY = 5.0
"""Seconds after which a stream looks by itself: another process may have changed the annotation."""
_ENDS_AFTER = 300.0
"""Seconds of a stream; the browser opens another one, and who may read the annotation is asked again."""
_MOST_STREAMS = 500


class LabelEvents:
    """Who waits for changes of which annotation, in this process."""

    def __init__(self, operations: LabelOperations) -> None:
        self._operations = operations
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._open = 0

    def tell(self, annotation: str) -> None:
        """Wake all who wait for an annotation. Called in the event loop's thread."""
        for event in self._waiting.get(annotation, ()):
            event.set()

    def check_room(self) -> None:
        """Raises Conflict if too many people look already."""
        if self._open >= _MOST_STREAMS:
            raise Conflict("too many pages are open; ask for changes now and then instead")

    async def stream(self, annotation: str, after: int) -> AsyncIterator[str]:
        """The operations after a revision as they happen, one event each; the event's id is the revision."""
        event = asyncio.Event()
        self._waiting.setdefault(annotation, set()).add(event)
        self._open += 1
        ends_at = time.monotonic() + _ENDS_AFTER
        try:
            yield "retry: 2000\n\n"
            while time.monotonic() < ends_at:
                event.clear()
                found = await run_in_threadpool(self._changes, annotation, after)
                for told in shown_changes(found):
                    yield f"id: {told['revision']}\nevent: operation\ndata: {json.dumps(told)}\n\n"
                if found:
                    after = found[-1].revision
                    continue
                try:
                    await asyncio.wait_for(event.wait(), _LOOK_EVERY)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._open -= 1
            self._waiting[annotation].discard(event)
            if not self._waiting[annotation]:
                del self._waiting[annotation]

    def _changes(self, annotation: str, after: int) -> list[OperationRecord]:
        return self._operations.changes(annotation, after=after, operations=100)
