"""The server's erasures: a thread that erases what was withdrawn, and at the start what a killed server left."""

from __future__ import annotations

import logging
import threading
import time

from storage.recordings.recording import State
from storage.workspace import Workspace
from studio.event_log import note
from studio.pipeline.withdrawal import erase_here

AGAIN_SECONDS = 60.0
"""After this an erasure that failed, because the store could not be reached for instance, is tried again."""
_LOOK_SECONDS = 0.05
_PARTING_SECONDS = 5.0


class ErasureThread:
    """Erases withdrawn recordings, one erasure after the other, from `start` to `stop`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._asked = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="kinesphere-erasures", daemon=True)

    def start(self) -> None:
        """Begin with what is withdrawn already."""
        self._asked.set()
        self._thread.start()

    def stop(self) -> None:
        """End; an erasure that is at work and takes longer than a few seconds goes on at the next start."""
        self._stopping = True
        self._asked.set()
        self._thread.join(_PARTING_SECONDS)

    def erase_soon(self, recording: str, *, wait_seconds: float) -> bool:
        """Ask for the erasure of a recording that was withdrawn; says whether it was done within some time."""
        self._asked.set()
        until = time.monotonic() + wait_seconds
        while self._workspace.catalog.recording(recording).state is not State.ERASED:
            if time.monotonic() > until or not self._thread.is_alive():
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _run(self) -> None:
        failed = False
        while True:
            self._asked.wait(AGAIN_SECONDS if failed else None)
            if self._stopping:
                return
            self._asked.clear()
            try:
                done = erase_here(self._workspace, None, who="server")
                failed = False
                if done is not None:
                    note("withdrawn recordings erased", receipt=done.receipt)
            except Exception as error:  # noqa: BLE001  logged, whatever it is: a thread that ends would never erase again
                note(
                    "withdrawn recordings are not erased yet",
                    level=logging.ERROR,
                    error=error,
                    kind=type(error).__name__,
                )
                failed = True
