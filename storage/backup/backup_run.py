"""Making a backup: a snapshot of the catalog, all that it points to, and nothing of what was erased meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from kinesphere.errors import InvalidInput
from kinesphere.objects.object_listing import StoredObject
from kinesphere.video.video_keys import video_key
from storage.backup.backup_content import (
    CatalogNames,
    Content,
    find_content,
    numbered_versions,
    source_of,
)
from storage.backup.backup_place import BackupPlace, Entry, Snapshot, receipts_in
from storage.backup.catalog_dump import dump_catalog, read_header
from storage.backup.known_hashes import is_immutable, right_one
from storage.backup.object_copy import Vanished, content_of, copying_threads
from storage.backup.old_snapshots import Removed, remove_old
from storage.catalog import Catalog, Erasures
from storage.catalog.tables import TaskTable
from storage.erasure.erasure import keep_tombstone
from storage.recordings.recording import State
from storage.workspace import Workspace

KEEP = 7
"""Snapshots that are kept unless somebody says otherwise."""
_ROUNDS = 5
_AT_ONCE = 8
_NOTED_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Loss:
    """An object that is not in the workspace as it should be."""

    key: str
    words: str


@dataclass(frozen=True)
class BackupReport:
    """What a backup did."""

    snapshot: Snapshot
    copied: int
    copied_bytes: int
    kept: int
    """Objects that were there already."""
    kept_bytes: int
    removed: Removed
    """What is not there any more."""
    losses: tuple[Loss, ...]
    """What is missing or damaged in the workspace."""


@dataclass
class _Copies:
    """What has been copied so far, in this run and, as far as it is known, before."""

    said: dict[str, str]
    """Tags of what the last whole backup holds, or should."""
    known: dict[str, Entry]
    stored: dict[str, int]
    copied: set[str] = field(default_factory=set)
    """Places of what was copied in this run."""
    noted_at: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, place: BackupPlace) -> _Copies:
        """What earlier backups have done; of snapshots that were not completed only the objects stay."""
        whole = place.snapshots()
        for name in place.objects.folders("snapshots"):
            if name not in {snapshot.name for snapshot in whole}:
                place.remove(name)
        known = place.entries(whole[-1]) if whole else {}
        said = {key: entry.tag for key, entry in known.items()}
        said |= dict.fromkeys(whole[-1].manifest["missing"] if whole else (), "")
        return cls(said, {**known, **place.unfinished()}, place.stored())


@dataclass(frozen=True)
class _Taken:
    """A snapshot of the catalog, which becomes whole once all that it points to is there."""

    name: str
    manifest: dict[str, Any]
    names: CatalogNames
    versions: set[tuple[str, int]]
    receipts: frozenset[str]


def back_up(
    workspace: Workspace,
    location: str | Path,
    *,
    keep: int = KEEP,
    on_step: Callable[[str], None] = lambda step: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> BackupReport:
    """Back a workspace up, whoever works in it meanwhile; what is there already is not copied again.

    First the catalog as it is at one moment, then every object that it and the versions of that moment point to, then
    the manifest: until that is written, the last whole snapshot is the one to restore. If meanwhile somebody was
    erased, or something else that was pointed to has gone, it begins again with a new snapshot, and from then on
    erasures wait. Interrupted, it is continued by the next one.

    At last what no snapshot names any more is deleted, and with it every earlier snapshot that names somebody who
    was erased since.

    Args:
        workspace: an open workspace.
        location: a folder, or the URL of a prefix, of its own.
        keep: how many snapshots are kept, this one among them.
        on_step: told in a few words what is done next.
        on_progress: told how many objects of how many are done.

    Returns:
        What was done, and what of the workspace is missing or damaged: of that the last good copy is kept.

    Raises:
        InvalidInput: the place lies in the workspace, or the workspace in it.
        Conflict: the place holds something else, or another backup of this workspace has been at work for an hour.
        StorageFailed: one of the two places cannot be used; the last whole snapshot stays.
    """
    if keep < 1:
        raise InvalidInput("keep at least one snapshot: --keep 1")
    _refuse_own_places(workspace, location)
    with workspace.catalog.lock("backup"):
        place = BackupPlace.begin(location, workspace.name, first_task(workspace.catalog))
        copies = _Copies.of(place)
        finished = None
        for number in range(_ROUNDS):
            finished = finished or _attempt(workspace, place, copies, number, on_step, on_progress)
        assert finished is not None  # the last attempt ends whatever goes on
        on_step("what is not needed any more")
        removed = remove_old(place, keep)
    copied = [entry.size_bytes for entry in finished.entries.values() if entry.place in copies.copied]
    kept = [entry.size_bytes for entry in finished.entries.values() if entry.place not in copies.copied]
    losses = tuple(finished.losses)
    return BackupReport(finished.snapshot, len(copied), sum(copied), len(kept), sum(kept), removed, losses)


@dataclass(frozen=True)
class _Finished:
    snapshot: Snapshot
    entries: dict[str, Entry]
    losses: list[Loss]


def _attempt(
    workspace: Workspace,
    place: BackupPlace,
    copies: _Copies,
    number: int,
    on_step: Callable[[str], None],
    on_progress: Callable[[int, int], None],
) -> _Finished | None:
    """Take a snapshot and copy what it points to; None if some of that has gone meanwhile.

    The first time erasures only wait while the catalog is dumped, and while it is looked whether anybody left. Later
    they wait all the time: almost all is copied by then, so that is not for long.
    """
    is_first, is_last = number == 0, number == _ROUNDS - 1
    with _erasures_wait(workspace, not is_first):
        on_step("the catalog" if is_first else "the catalog again, as something left meanwhile")
        with _erasures_wait(workspace, is_first):
            taken = _take(workspace, place)
        on_step("objects")
        content = find_content(workspace, taken.names, taken.versions, copies.said)
        entries, vanished, losses = _copy(workspace, place, content, taken, copies, on_progress)
        with _erasures_wait(workspace, is_first):
            has_lost = vanished or _has_lost(workspace, taken) or (is_first and content.missing)
            if has_lost and not is_last:
                place.remove(taken.name)
                return None
            losses += _add_lost(entries, content.missing | vanished, copies)
            manifest = {**taken.manifest, "missing": [loss.key for loss in losses]}
            return _Finished(place.finish(taken.name, manifest, entries.values()), entries, losses)


def _erasures_wait(workspace: Workspace, is_wanted: bool) -> AbstractContextManager[None]:
    return workspace.catalog.lock("erasure") if is_wanted else nullcontext()


def first_task(catalog: Catalog) -> str | None:
    """What tells one catalog from another for good: its first task, and when it was added; None where there is none."""
    query = select(TaskTable).order_by(TaskTable.created_at, TaskTable.name, TaskTable.version)
    with catalog.reading() as session:
        row = session.scalars(query).first()
        return None if row is None else f"{row.name}@{row.version} {row.created_at.isoformat()}"


def _refuse_own_places(workspace: Workspace, location: str | Path) -> None:
    url = str(location).rstrip("/") if "://" in str(location) else str(Path(location).absolute().resolve())
    for own in (workspace.objects.url, str(workspace.folder.resolve())):
        if url == own or url.startswith(f"{own}/") or own.startswith(f"{url}/"):
            raise InvalidInput(f"{url} and the workspace in {own} lie in each other; back up to another disk")


def _take(workspace: Workspace, place: BackupPlace) -> _Taken:
    """Take a snapshot of the catalog, while nobody is being erased; erasures that are done are noted first."""
    done, noted = Erasures(workspace.catalog).done(), place.receipts()
    for record in done:
        if record.receipt not in noted:
            keep_tombstone(place.objects, record)
    applied = {record.receipt for record in done} | receipts_in(workspace.objects)
    versions = numbered_versions(workspace.objects)
    dump, counts = dump_catalog(workspace.catalog.engine)
    header, name = read_header(dump), place.new_name()
    catalog = place.put_part(name, "catalog", dump)
    names = CatalogNames.of(dump)
    manifest = {
        "snapshot": name,
        "workspace": workspace.name,
        "made_at": header.taken_at.isoformat(),
        "catalog": {**catalog, "revision": header.revision, "rows": dict(counts)},
        "erasures": sorted(applied),
    }
    return _Taken(name, manifest, names, versions, frozenset(record.receipt for record in done))


def _copy(
    workspace: Workspace,
    place: BackupPlace,
    content: Content,
    taken: _Taken,
    copies: _Copies,
    on_progress: Callable[[int, int], None],
) -> tuple[dict[str, Entry], set[str], list[Loss]]:
    """Copy what is not there yet; gives what is, the keys that have gone meanwhile, and what is damaged."""
    videos = {video_key(name): sha256 for name, (_, sha256) in taken.names.recordings.items()}
    entries, vanished, losses = dict[str, Entry](), set[str](), list[Loss]()

    def copy(found: StoredObject) -> Entry | None:
        known = copies.known.get(found.key)
        if known is not None and found.tag and known.tag == found.tag and known.place in copies.stored:
            return known
        try:
            return _copied(workspace, place, found, copies)
        except Vanished:
            return None

    with copying_threads(_AT_ONCE) as threads:
        for done, (key, entry) in enumerate(zip(content.there, threads.map(copy, content.there.values()), strict=True)):
            on_progress(done, len(content.there))
            if entry is None:
                vanished.add(key)
                continue
            before = copies.known.get(key)
            if before is not None and before.sha256 != entry.sha256 and is_immutable(key):
                entry = _right_one(workspace, before, entry, videos, copies, losses)
            elif entry.sha256 != videos.get(key, entry.sha256):
                losses.append(Loss(key, "is not what was submitted, and no backup has that"))
            entries[key] = copies.known[key] = entry
            if time.monotonic() - copies.noted_at > _NOTED_EVERY_SECONDS:
                place.note_unfinished(entries.values())
                copies.noted_at = time.monotonic()
    on_progress(len(content.there), len(content.there))
    return entries, vanished, losses


def _copied(workspace: Workspace, place: BackupPlace, found: StoredObject, copies: _Copies) -> Entry:
    source = source_of(workspace, found.key)
    with content_of(source, found.key, found.size_bytes, workspace.temporary) as (content, sha256, size):
        entry = Entry(found.key, sha256, size, found.tag if size == found.size_bytes else "")
        if copies.stored.get(entry.place) != size:
            place.objects.put(entry.place, content)
            copies.stored[entry.place] = size
            copies.copied.add(entry.place)
    return entry


def _right_one(
    workspace: Workspace, before: Entry, now: Entry, videos: Mapping[str, str], copies: _Copies, losses: list[Loss]
) -> Entry:
    """Which of two contents is in the backup, of an object that should never have changed."""
    if before.place not in copies.stored or right_one(workspace.objects, before, now, videos) is now:
        return now  # what an earlier backup has was damaged then
    losses.append(Loss(now.key, "was changed in the workspace; the copy of an earlier backup was kept"))
    return before


def _has_lost(workspace: Workspace, taken: _Taken) -> bool:
    """Whether somebody, or some recording, has left since the snapshot was taken."""
    if {record.receipt for record in Erasures(workspace.catalog).done()} != taken.receipts:
        return True
    staying = [name for name, (state, _) in taken.names.recordings.items() if state is not State.WITHDRAWN]
    return bool(workspace.catalog.departed(staying))


def _add_lost(entries: dict[str, Entry], missing: Iterable[str], copies: _Copies) -> Iterator[Loss]:
    """Add what the workspace has lost and an earlier backup has."""
    for key in sorted(missing):
        known = copies.known.get(key)
        if known is not None and known.place in copies.stored:
            entries[key] = known
            yield Loss(key, "is missing in the workspace; the copy of an earlier backup was kept")
        else:
            yield Loss(key, "is missing in the workspace, and no backup has it")
