"""A look at something that may not answer: by one thread at a time, and nobody waits for it longer than a while."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Found = TypeVar("Found")


class TimedLook(Generic[Found]):
    """Gives what a function finds, at most `kept_seconds` old. Ask for it in the event loop.

    However many ask, one thread looks; where it hangs, those who ask are told so, and no second one is begun.

    Args:
        look: what finds it; it may raise.
        wait_seconds: how long somebody who asks waits.
        kept_seconds: how long what was found, or the error, is good.
    """

    def __init__(self, look: Callable[[], Found], *, wait_seconds: float = 5.0, kept_seconds: float = 5.0) -> None:
        self._look = look
        self._wait_seconds = wait_seconds
        self._kept_seconds = kept_seconds
        self._future: Future[Found] | None = None
        self._ended_at = 0.0

    async def found(self) -> Found:
        """What it finds.

        Raises:
            TimeoutError: it does not answer.
            Exception: what the look itself raises.
        """
        future = self._future
        if future is None or (future.done() and time.monotonic() - self._ended_at > self._kept_seconds):
            future = self._future = Future()
            threading.Thread(target=self._run, args=(future,), name="kinesphere-look", daemon=True).start()
        waiting = asyncio.shield(asyncio.wrap_future(future))
        return await asyncio.wait_for(waiting, self._wait_seconds)

    def _run(self, future: Future[Found]) -> None:
        future.set_running_or_notify_cancel()  # who stops waiting cannot take it from the others
        try:
            found = self._look()
        except Exception as error:  # noqa: BLE001  handed to those who ask
            self._ended_at = time.monotonic()
            future.set_exception(error)
        else:
            self._ended_at = time.monotonic()
            future.set_result(found)
