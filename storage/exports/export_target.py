"""Where an export goes: a place of its own, with a file that says what it is, even when all else is gone."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from kinesphere.errors import Conflict, CorruptObject, KinesphereError
from kinesphere.objects.local_files import remove_staged
from kinesphere.objects.store import Objects, open_objects
from kinesphere.version import __version__
from storage.catalog import ExportRecord

NOTE = "kinesphere-export.json"
"""Key of the note: written first as `incomplete`, last as `complete`; `withdrawn` when an erasure took the rest."""
FORMAT_VERSION = 1
KIND = "kinesphere-export"

_OWN = ("recordings", "shards", "datasets", "erasures", "drafts", "uploads", "duplicates")
_PART_BYTES = 2**23


def write_note(target: Objects, export: ExportRecord, state: str, **more: Any) -> None:
    """Say in the target what it is, and in which state."""
    note = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "export": export.export,
        "dataset": export.dataset,
        "version": export.version,
        "format": export.format,
        "state": state,
        "software": {"kinesphere": __version__},
    }
    target.put(NOTE, (json.dumps(note | more, indent=2) + "\n").encode())


def read_note(target: Objects) -> dict[str, Any] | None:
    """The note in a target, if there is one."""
    try:
        found = json.loads(target.get(NOTE))
    except (CorruptObject, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND else None


def open_target(location: str | Path, store: Objects) -> Objects:
    """Open, or make, the place of an export.

    Raises:
        Conflict: it is one of the workspace's own folders.
    """
    text = os.fspath(location)
    url = text.rstrip("/") if "://" in text else str(Path(text).absolute())
    if url == store.url or url.startswith(tuple(f"{store.url}/{name}" for name in _OWN)):
        raise Conflict(f"{url} belongs to the workspace; export to a folder or prefix of its own")
    return open_objects(location, create=True)


def begun_there(target: Objects, asked: dict[str, Any]) -> str | None:
    """The id of the same export, if it was begun there and cut off; None where nothing is.

    Raises:
        Conflict: something else is there.
    """
    note = read_note(target)
    if note is not None and note["state"] == "withdrawn":
        return None
    if note is not None and note["state"] == "incomplete" and all(note.get(key) == asked[key] for key in asked):
        return str(note["export"])
    if note is not None:
        name = f"{note['dataset']}@{note['version']}"
        raise Conflict(
            f"{target.url} holds an export of {name} ({note['format']}, {note['state']}); choose another place"
        )
    if target.keys("") or target.folders(""):
        raise Conflict(f"{target.url} is not empty; an export needs a place of its own")
    return None


def reached(export: ExportRecord) -> Objects | None:
    """The target of an export, if it is the one: an unmounted disk leaves an empty folder in its place."""
    try:
        target = open_objects(export.location)
        note = read_note(target)
    except KinesphereError:
        return None
    return target if note is not None and note["export"] == export.export else None


def remove_hidden(target: Objects) -> None:
    """Delete what was being written there when its writer was killed: no listing shows it, and it may be anybody's.

    A writer that is alive fails, and takes all away.
    """
    folder = target.local_path("")
    for place in [] if folder is None else [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        remove_staged(place)


def clear(target: Objects) -> None:
    """Delete all but the note."""
    remove_hidden(target)
    for name in target.folders(""):
        target.delete_below(name)
    for key in target.keys(""):
        if key != NOTE:
            target.delete(key)


def copy_object(source: Objects, key: str, target: Objects) -> None:
    """Copy an object under the same key, holding a few megabytes of it.

    Raises:
        CorruptObject: it is missing.
    """
    local = source.local_path(key)
    if local is not None:
        source.size(key)  # named as missing, if it is
        target.put(key, local)
        return
    data, size = source.get_part(key, 0, _PART_BYTES)
    if size <= len(data):
        target.put(key, data)
        return
    with tempfile.NamedTemporaryFile() as spool:
        spool.write(data)
        for start in range(len(data), size, _PART_BYTES):
            spool.write(source.get_part(key, start, min(start + _PART_BYTES, size))[0])
        spool.flush()
        target.put(key, Path(spool.name))
