"""Files that no catalog and no listing of objects shows: uploads being received, and what a killed process left."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kinesphere.names import is_recording_id
from kinesphere.objects.local_files import delete_file
from kinesphere.objects.store import Objects
from storage.erasure.withdrawn_versions import Departed
from storage.workspace import Workspace

QUIET_SECONDS = 60.0
"""A file that is being written grows all the time: one that has not for so long belongs to a process that died."""
UNKNOWN = "unknown"
"""In the name of an upload, in place of what the sender did not tell."""

NAMELESS = ("datasets", "erasures")
"""Below these the name of a folder does not tell whose it is."""
_VISIBLE = ("recordings", "shards", "datasets", "erasures")
_UPLOAD = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{32}\.([0-9a-f]{32}|unknown)\.([0-9a-f-]+|unknown)\.(\d+|open)")


def upload_name(upload: str, owner: str, length: int | str, contributor: str | None, recording: str | None) -> str:
    """Name of the file of an upload: all that is known of it, so that no second file could be lost or disagree.

    Args:
        upload: its id, 32 hexadecimal digits.
        owner: the account it belongs to.
        length: bytes of the whole, or what stands for a length that is not known yet.
        contributor: whose take it is; None where the sender did not tell.
        recording: id of the recording that it will be; None where the sender did not tell.

    Returns:
        A name with five parts between dots.
    """
    whose = UNKNOWN if contributor is None else mark(contributor)
    return f"{upload}.{mark(owner)}.{whose}.{recording or UNKNOWN}.{length}"


def mark(name: str) -> str:
    """What stands for an account or a contributor in names of files, whatever characters the name has.

    Args:
        name: of an account or a contributor.

    Returns:
        32 hexadecimal digits.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def uploads_of(workspace: Workspace, departed: Departed) -> Iterator[Path]:
    """Uploads, whole or in part, of those who leave; of a contributor who leaves also those of whom nobody can tell.

    Whoever sends one of the latter still has the video, and begins again.
    """
    for path in sorted(workspace.uploads.iterdir()) if workspace.uploads.is_dir() else []:
        known = _UPLOAD.fullmatch(path.name)
        whose, recording = (known[1], known[2]) if known is not None else (UNKNOWN, UNKNOWN)
        if recording in departed.recordings or (
            departed.contributor is not None and whose in (UNKNOWN, mark(departed.contributor))
        ):
            yield path


def temporary_of(workspace: Workspace, departed: Departed, gone: set[str]) -> Iterator[Path]:
    """What was being made of recordings of those who leave, or of recordings in `gone`, when its maker was killed."""
    for path in sorted(workspace.temporary.iterdir()) if workspace.temporary.is_dir() else []:
        recording = path.name.rsplit("-", 1)[0]
        if recording in departed.recordings or recording in gone or not is_recording_id(recording):
            yield path


def hidden_files(objects: Objects, *prefixes: str) -> Iterator[Path]:
    """Files among local objects that are no objects: what a killed process was writing.

    Args:
        objects: an object store; of one that is not local there are none.
        prefixes: where to look; by default wherever the workspace keeps objects.
    """
    for prefix in prefixes or _VISIBLE:
        folder = objects.local_path(prefix)
        if folder is None or not folder.is_dir():
            continue
        visible = {objects.local_path(key) for key in objects.keys(prefix)}
        for place, _, files in os.walk(folder):
            yield from (path for path in sorted(Path(place, name) for name in files) if path not in visible)


def is_quiet(path: Path | None) -> bool:
    """Whether nothing at or below a path was written for `QUIET_SECONDS`, or there is nothing but empty folders."""
    if path is None or not path.exists():
        return True
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    if all(entry.is_dir() for entry in inside):
        return True
    return time.time() - max(_changed_at(entry) for entry in inside) > QUIET_SECONDS


def remove_quiet(folder: Path) -> None:
    """Delete what is quiet at or below a folder, and the folders that are empty then; what is being written stays."""
    for place, _, files in os.walk(folder, topdown=False):
        for path in (Path(place, name) for name in files):
            if is_quiet(path):
                path.unlink(missing_ok=True)
        with suppress(OSError):  # it is not empty
            Path(place).rmdir()


def delete_hidden(objects: Objects, *, wait_seconds: float = QUIET_SECONDS + 5) -> None:
    """Delete what killed processes were writing beside versions and tombstones; waits for those that are alive.

    Such a file may hold anybody's episodes, and nobody can tell whose.
    """
    until = time.monotonic() + wait_seconds
    while hidden := list(hidden_files(objects, *NAMELESS)):
        for path in hidden:
            if is_quiet(path):
                delete_file(path)
        if time.monotonic() > until or all(is_quiet(path) for path in hidden):
            return
        time.sleep(0.2)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()  # it changes at this moment
