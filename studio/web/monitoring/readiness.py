"""Whether the server can do its work: the catalog answers, the store can be written and read, the disk has room."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from kinesphere.errors import KinesphereError, StorageFailed
from storage.catalog.workload import check_answers
from storage.workspace import Workspace
from studio.web.monitoring.timed_look import TimedLook
from studio.web.monitoring.workspace_metrics import local_folders

LEAST_FREE = 1 << 28
"""Bytes that must be free, as for an upload to begin."""
PROBE_KEY = "temporary/readiness"
"""Of the object that is written and read; nothing but what is being made has a key below `temporary`."""


@dataclass(frozen=True)
class Lack:
    """Why the server is not ready."""

    reason: str
    """For everybody."""
    detail: str
    """For the operator: it may name paths and addresses."""


class Readiness:
    """Looks whether a workspace can be worked with, at most every few seconds, however many ask.

    Args:
        workspace: what is served.
        wait_seconds: after which what does not answer is taken for failed.
        kept_seconds: for how long an answer is given again.
    """

    def __init__(self, workspace: Workspace, *, wait_seconds: float = 5.0, kept_seconds: float = 5.0) -> None:
        looks = {
            "the catalog does not answer": lambda: check_answers(workspace.catalog),
            "the store cannot be written and read": lambda: check_store(workspace),
            "the disk has no room": lambda: check_room(workspace),
        }
        self._looks: Mapping[str, TimedLook[None]] = {
            reason: TimedLook(look, wait_seconds=wait_seconds, kept_seconds=kept_seconds)
            for reason, look in looks.items()
        }

    async def lacks(self) -> list[Lack]:
        """What is not as it should be; nothing where the server is ready."""
        found = []
        for reason, look in self._looks.items():
            try:
                await look.found()
            except TimeoutError:
                found.append(Lack(reason, "no answer came in time"))
            except (KinesphereError, OSError) as error:
                found.append(Lack(reason, str(error)))
        return found


def check_store(workspace: Workspace) -> None:
    """Write an object, read it, and take it away again.

    Raises:
        StorageFailed: the store refuses, or gives something else than it was given.
        CorruptObject: what was written is not there.
    """
    content = secrets.token_bytes(32)
    workspace.objects.put(PROBE_KEY, content)
    if workspace.objects.get(PROBE_KEY) != content:
        raise StorageFailed(f"object '{PROBE_KEY}' in {workspace.objects.url} is not what was written a moment ago")
    workspace.objects.delete(PROBE_KEY)


def check_room(workspace: Workspace) -> None:
    """See whether there is room for an upload.

    Raises:
        StorageFailed: there is too little.
        OSError: a disk refuses.
    """
    for folder in local_folders(workspace).values():
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE:
            raise StorageFailed(f"{folder} has {free >> 20} MiB free, and needs {LEAST_FREE >> 20}")
