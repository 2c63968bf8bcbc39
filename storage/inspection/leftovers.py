"""What interrupted work has left in a workspace: found, and removed where nothing that was confirmed is in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kinesphere.objects.begun_notes import begun_key
from kinesphere.objects.local_files import staged_in
from storage.catalog import Erasures
from storage.erasure.unfinished_files import hidden_files, is_quiet, remove_quiet
from storage.erasure.unfinished_folders import DESCRIBED_BY, begun_description, is_abandoned
from storage.workspace import Workspace

_NOTES = ("drawings.partial", "workspace.partial")
"""As releases before 0.2.0 named them."""


@dataclass(frozen=True)
class Leftover:
    """Something that a killed process has left."""

    where: str
    """Path in the workspace's folder, or key of an object or of a folder of objects."""
    words: str
    path: Path | None = None
    """Where it is a file or a folder of this computer; else it is a key."""


def leftovers(workspace: Workspace) -> Iterator[Leftover]:
    """What a process that died has left. What may be being written now is left out: it has grown within a minute.

    That is: files beside objects that no listing shows, folders without objects, what was being made of recordings,
    notes that were half written, and objects of recordings that were erased.

    Args:
        workspace: an open workspace.

    Yields:
        Each once.
    """
    being_written = set[Path]()
    whole = [leftover for prefix in DESCRIBED_BY for leftover in _of_writers(workspace, prefix, being_written)]
    together = being_written | {leftover.path for leftover in whole if leftover.path is not None}
    yield from (
        Leftover(str(path.relative_to(workspace.objects.url)), "an unfinished file of a process that died", path)
        for path in hidden_files(workspace.objects)
        if is_quiet(path) and together.isdisjoint(path.parents)
    )
    yield from whole
    for path in sorted(workspace.temporary.iterdir()) if workspace.temporary.is_dir() else []:
        if is_quiet(path):
            yield Leftover(f"temporary/{path.name}", "made by a process that died", path)
    for path in _half_written(workspace):
        if path.is_file() and is_quiet(path):
            yield Leftover(str(path.relative_to(workspace.folder)), "a note that was half written", path)
    yield from _of_erased(workspace)


def repair(workspace: Workspace) -> list[Leftover]:
    """Remove what `leftovers` finds, and nothing else: nothing is put back that nobody can prove.

    Args:
        workspace: an open workspace.

    Returns:
        What was removed.
    """
    found = list(leftovers(workspace))
    for leftover in found:
        if leftover.path is None:
            workspace.objects.delete(leftover.where)
            workspace.objects.delete_below(leftover.where)
        elif leftover.path.is_dir() and leftover.where.startswith("temporary/"):
            shutil.rmtree(leftover.path, ignore_errors=True)
        elif leftover.path.is_dir():
            remove_quiet(leftover.path)
        else:
            leftover.path.unlink(missing_ok=True)
    return found


def _of_writers(workspace: Workspace, prefix: str, being_written: set[Path]) -> Iterator[Leftover]:
    """Folders below a prefix that are empty or were not finished, and notes of writers that died when all was there.

    Args:
        being_written: gets the folders that are none of these, and of which the parts can only go together: without
            the file that says whose they are, nobody could tell.
    """
    objects, known = workspace.objects, Erasures(workspace.catalog).known()[prefix == "shards"]
    keys = set(objects.keys(prefix))
    filled = {key.split("/")[1] for key in keys}
    for folder in objects.folders(prefix):
        place = f"{prefix}/{folder}"
        description, path = f"{place}/{DESCRIBED_BY[prefix]}", objects.local_path(place)
        note = begun_key(description)
        if description in keys:
            if note in keys:
                yield Leftover(note, "a note of a process that died")
        elif begun_description(objects, description) is not None and not objects.exists(description):
            is_dead = is_abandoned(objects, place) if path is None else is_quiet(path)
            if is_dead and folder.removesuffix(".zarr") not in known:
                yield Leftover(place, "was not finished by a process that died", path)
            elif path is not None:
                being_written.add(path)
        elif path is not None and folder not in filled and is_quiet(path):
            yield Leftover(place, "a folder without objects", path)


def _half_written(workspace: Workspace) -> Iterator[Path]:
    yield from (workspace.folder / name for name in _NOTES)
    yield from staged_in(workspace.folder)
    for draft in sorted(workspace.drafts.iterdir()) if workspace.drafts.is_dir() else []:
        yield from staged_in(draft)


def _of_erased(workspace: Workspace) -> Iterator[Leftover]:
    """Objects of recordings that were erased: whatever wrote them came too late."""
    erased = Erasures(workspace.catalog).erased_recordings()
    for name in workspace.objects.folders("recordings"):
        if name in erased and workspace.objects.keys(f"recordings/{name}"):
            yield Leftover(f"recordings/{name}", "objects of a recording that was erased")
