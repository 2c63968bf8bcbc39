"""Making a backup: a snapshot of the catalog, all that it points to, and nothing of what was erased meanwhile."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from storage.backup.backup_place import BackupPlace, Entry, Snapshot
from storage.backup.catalog_dump import dump_catalog, read_header
from storage.backup.object_copy import Vanished, content_of
from storage.backup.old_snapshots import Removed, remove_old
from storage.catalog import Erasures
from storage.erasure.erasure import keep_tombstone, tombstone_key
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

    known: dict[str, Entry]
    stored: dict[str, int]
    copied: set[str] = field(default_factory=set)
    """Places of what was copied in this run."""
    noted_at: float = field(default_factory=time.monotonic)


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
    with workspace.catalog.lock("backup"), _temporary(workspace) as temporary:
        place = BackupPlace.begin(location, workspace.name)
        earlier = place.snapshots()
        known = place.entries(earlier[-1]) if earlier else {}
        said = {key: entry.tag for key, entry in known.items()}
        said |= dict.fromkeys(earlier[-1].manifest["missing"] if earlier else (), "")
        copies = _Copies({**known, **place.unfinished()}, place.stored())
        for name in place.objects.folders("snapshots"):
            if name not in {snapshot.name for snapshot in earlier}:
                place.remove(name)
        for number in range(_ROUNDS):
            is_last = number == _ROUNDS - 1
            # From the second time on erasures wait: what is copied by then is almost all, so that is not for long.
            with workspace.catalog.lock("erasure") if number else nullcontext():
                on_step("the catalog" if number == 0 else "the catalog again, as somebody left meanwhile")
                with nullcontext() if number else workspace.catalog.lock("erasure"):
                    taken = _take(workspace, place, temporary)
                on_step("objects")
                content = find_content(workspace, taken.names, taken.versions, said)
                entries, vanished, losses = _copy(workspace, place, content, taken, copies, temporary, on_progress)
                with nullcontext() if number else workspace.catalog.lock("erasure"):
                    if not is_last and (vanished or _has_lost(workspace, taken) or (content.missing and not number)):
                        place.remove(taken.name)
                        continue
                    entries, more = _completed(entries, content.missing | vanished, copies)
                    losses += more
                    manifest = {**taken.manifest, "missing": [loss.key for loss in losses]}
                    snapshot = place.finish(taken.name, manifest, entries.values())
                    break
        on_step("what is not needed any more")
        removed = remove_old(place, keep, temporary)
    copied = [entry.size_bytes for entry in entries.values() if entry.place in copies.copied]
    kept = [entry.size_bytes for entry in entries.values() if entry.place not in copies.copied]
    return BackupReport(snapshot, len(copied), sum(copied), len(kept), sum(kept), removed, tuple(losses))


def _refuse_own_places(workspace: Workspace, location: str | Path) -> None:
    url = str(location).rstrip("/") if "://" in str(location) else str(Path(location).absolute().resolve())
    for own in (workspace.objects.url, str(workspace.folder.resolve())):
        if url == own or url.startswith(f"{own}/") or own.startswith(f"{url}/"):
            raise InvalidInput(f"{url} and the workspace in {own} lie in each other; back up to another disk")


@contextmanager
def _temporary(workspace: Workspace) -> Iterator[Path]:
    """A folder for what is being copied; an erasure takes it away like anything that was left there."""
    workspace.temporary.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=workspace.temporary, prefix="backup-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take(workspace: Workspace, place: BackupPlace, temporary: Path) -> _Taken:
    """Take a snapshot of the catalog, while nobody is being erased; erasures that are done are noted first."""
    done = Erasures(workspace.catalog).done()
    for record in done:
        if not place.objects.exists(tombstone_key(record.receipt)):
            keep_tombstone(place.objects, record)
    versions = numbered_versions(workspace.objects)
    temporary.mkdir(parents=True, exist_ok=True)
    dump = temporary / "catalog.jsonl.gz"
    counts = dump_catalog(workspace.catalog.engine, dump)
    header, name = read_header(dump), place.new_name()
    receipts = sorted(record.receipt for record in done)
    catalog = place.put_part(name, "catalog", dump.read_bytes())
    names = CatalogNames.of(dump)
    dump.unlink()
    manifest = {
        "snapshot": name,
        "workspace": workspace.name,
        "made_at": header.taken_at.isoformat(),
        "catalog": {**catalog, "revision": header.revision, "rows": dict(counts)},
        "erasures": receipts,
    }
    return _Taken(name, manifest, names, versions, frozenset(receipts))


def _copy(
    workspace: Workspace,
    place: BackupPlace,
    content: Content,
    taken: _Taken,
    copies: _Copies,
    temporary: Path,
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
            return _copied(workspace, place, found, copies, temporary)
        except Vanished:
            return None

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for done, (key, entry) in enumerate(zip(content.there, threads.map(copy, content.there.values()), strict=True)):
            on_progress(done, len(content.there))
            if entry is None:
                vanished.add(key)
                continue
            before = copies.known.get(key)
            if before is not None and before.sha256 != entry.sha256 and _is_immutable(key):
                losses.append(Loss(key, "was changed in the workspace; the copy of an earlier backup was kept"))
                entry = before
            elif entry.sha256 != videos.get(key, entry.sha256):
                losses.append(Loss(key, "is not what was submitted, and no backup has that"))
            entries[key] = copies.known[key] = entry
            if time.monotonic() - copies.noted_at > _NOTED_EVERY_SECONDS:
                place.note_unfinished(entries.values())
                copies.noted_at = time.monotonic()
    on_progress(len(content.there), len(content.there))
    return entries, vanished, losses


def _copied(workspace: Workspace, place: BackupPlace, found: StoredObject, copies: _Copies, temporary: Path) -> Entry:
    source = source_of(workspace, found.key)
    with content_of(source, found.key, found.size_bytes, temporary) as (content, sha256, size):
        entry = Entry(found.key, sha256, size, found.tag if size == found.size_bytes else "")
        if copies.stored.get(entry.place) != size:
            place.objects.put(entry.place, content)
            copies.stored[entry.place] = size
            copies.copied.add(entry.place)
    return entry


def _is_immutable(key: str) -> bool:
    return key.startswith("shards/") or key.endswith(("/recording.json", "/video.mp4", ".parquet"))


def _has_lost(workspace: Workspace, taken: _Taken) -> bool:
    """Whether somebody, or some recording, has left since the snapshot was taken."""
    if {record.receipt for record in Erasures(workspace.catalog).done()} != taken.receipts:
        return True
    staying = [name for name, (state, _) in taken.names.recordings.items() if state is not State.WITHDRAWN]
    return bool(workspace.catalog.departed(staying))


def _completed(
    entries: Mapping[str, Entry], missing: set[str] | frozenset[str], copies: _Copies
) -> tuple[dict[str, Entry], Sequence[Loss]]:
    """With what the workspace has lost and an earlier backup has."""
    found, losses = dict(entries), []
    for key in sorted(missing):
        known = copies.known.get(key)
        if known is not None and known.place in copies.stored:
            found[key] = known
            losses.append(Loss(key, "is missing in the workspace; the copy of an earlier backup was kept"))
        else:
            losses.append(Loss(key, "is missing in the workspace, and no backup has it"))
    return found, losses
