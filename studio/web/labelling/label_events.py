"""Changes of annotations, told to other tabs as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from kinesphere.errors import Conflict
from storage.catalog import LabelOperations, OperationRecord
from studio.web.labelling.label_messages import shown_changes

_LOOK_EVERY = 5.0
"""Seconds after which a stream looks by itself: another process may have changed the annotation."""
_ENDS_AFTER = 300.0
"""Seconds of a stream; the browser opens another one, and who may read the annotation is asked again."""
_MOST_STREAMS = 500
"""Open at once in this process: each page that labels holds one."""


@dataclass(eq=False)
class _Waiter:
    """An open stream."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    pushed: list[OperationRecord] = field(default_factory=list)
    """What happened since it looked last, as far as this process did it."""


class LabelEvents:
    """Who waits for changes of which annotation, in this process."""

    def __init__(self, operations: LabelOperations) -> None:
        self._operations = operations
        self._waiting: dict[str, set[_Waiter]] = {}
        self._open = 0

    def tell(self, annotation: str, log: Sequence[OperationRecord] = ()) -> None:
        """Wake all who wait for an annotation. Called in the event loop's thread.

        Args:
            log: what was done. Where it follows on what a stream has told, the stream needs no look into the catalog.
        """
        for waiter in self._waiting.get(annotation, ()):
            waiter.pushed.extend(log)
            waiter.woken.set()

    async def opened(self, annotation: str, after: int) -> AsyncIterator[str]:
        """A stream that has begun, and counts: one too many is refused before its answer begins.

        Raises:
            Conflict: as many streams are open as this server serves.
        """
        stream = self.stream(annotation, after)
        first = await anext(stream)

        async def whole() -> AsyncIterator[str]:
            async with aclosing(stream):
                yield first
                async for event in stream:
                    yield event

        return whole()

    async def stream(self, annotation: str, after: int) -> AsyncGenerator[str, None]:
        """The operations after a revision as they happen, one event each; the event's id is the revision.

        Raises:
            Conflict: as many streams are open as this server serves.
        """
        if self._open >= _MOST_STREAMS:
            raise Conflict("too many pages are open at once; close some, or ask for changes now and then instead")
        waiter = _Waiter()
        self._waiting.setdefault(annotation, set()).add(waiter)
        self._open += 1
        ends_at = time.monotonic() + _ENDS_AFTER
        try:
            yield "retry: 2000\n\n"
            while time.monotonic() < ends_at:
                waiter.woken.clear()
                pushed, waiter.pushed = _following(waiter.pushed, after), []
                found = pushed or await run_in_threadpool(self._changes, annotation, after)
                for shown in shown_changes(found):
                    yield f"id: {shown['revision']}\nevent: operation\ndata: {json.dumps(shown)}\n\n"
                if found:
                    after = found[-1].revision
                if found and not pushed:
                    continue  # the catalog may have more
                try:
                    await asyncio.wait_for(waiter.woken.wait(), _LOOK_EVERY)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._open -= 1
            self._waiting[annotation].discard(waiter)
            if not self._waiting[annotation]:
                del self._waiting[annotation]

    def _changes(self, annotation: str, after: int) -> list[OperationRecord]:
        return self._operations.changes(annotation, after=after, operations=100)


def _following(pushed: Sequence[OperationRecord], after: int) -> list[OperationRecord]:
    """Those that come next after a revision; none where any is missing, as when another process has changed it too."""
    new = [operation for operation in pushed if operation.revision > after]
    follow = all(operation.revision == number for number, operation in enumerate(new, after + 1))
    return new if follow else []
