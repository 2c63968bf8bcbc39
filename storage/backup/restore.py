"""Restoring a workspace from a backup: an empty place becomes what was backed up, without those erased since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from kinesphere.errors import Conflict, CorruptObject, NotFound
from kinesphere.objects.local_files import flush_folder
from kinesphere.objects.store import open_objects
from storage.backup.backup_content import PREFIXES, CatalogNames, source_of
from storage.backup.backup_place import LEDGER, BackupPlace, Entry, Snapshot
from storage.backup.catalog_import import import_catalog, refuse_rows, rows_by_table
from storage.backup.object_copy import Vanished, content_of, copying_threads
from storage.backup.old_snapshots import named_in, unknown_to
from storage.erasure.erasure import erase
from storage.inspection.workspace_inspection import object_sha256
from storage.workspace import (
    FILE_NAME,
    RESTORING,
    Workspace,
    lay_out_workspace,
    open_workspace,
    private_files,
    resolved_catalog,
    resolved_store,
)

_AT_ONCE = 8


@dataclass(frozen=True)
class RestoreReport:
    """What was restored."""

    workspace: str
    snapshot: Snapshot
    objects: int
    bytes: int
    lost: tuple[str, ...]
    """Keys of what the backup should have and has not, or only damaged."""
    erased_again: tuple[str, ...]
    """Receipts of erasures that were made after the snapshot, and have been applied to it."""


@dataclass(frozen=True)
class Destination:
    """Where a workspace is restored to."""

    folder: Path
    name: str | None = None
    """None is the name that it had."""
    catalog: str = "sqlite:///catalog.sqlite"
    store: str = "."


def restore(
    source: str | Path,
    destination: Destination,
    *,
    snapshot: str | None = None,
    on_step: Callable[[str], None] = lambda step: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> RestoreReport:
    """Make a workspace as it was backed up, in a place where nothing is; every object is compared with its hash.

    Whoever was erased after the snapshot, as far as the backup knows, is erased again before the workspace can be
    opened. Interrupted, it is repeated with the same words and goes on.

    Args:
        source: place of the backup.
        destination: where to; a folder that is not there or empty, an empty database, a store without objects.
        snapshot: its name; the newest by default.
        on_step: told in a few words what is done next.
        on_progress: told how many objects of how many are done.

    Returns:
        What was restored, and what the backup lacks.

    Raises:
        NotFound: there is no such backup or snapshot.
        Conflict: the destination holds something; it is left as it is.
        CorruptObject: the snapshot itself is damaged.
        StorageFailed: one of the places cannot be used.
    """
    place = BackupPlace.open(source)
    chosen = _chosen(place, snapshot)
    destination = Destination(
        destination.folder.absolute(), destination.name or place.workspace, destination.catalog, destination.store
    )
    with private_files():
        _begin(place, chosen, destination)
        on_step("the catalog")
        names = _with_catalog(place, chosen, destination)
        workspace = _opened(destination)
        try:
            on_step("objects")
            entries = place.entries(chosen)
            lost = _copy(place, workspace, list(entries.values()), on_progress)
            on_step("erasures that came later")
            erased = _erase_again(place, chosen, names, workspace)
        finally:
            workspace.catalog.close()
        shutil.rmtree(workspace.temporary, ignore_errors=True)
        (destination.folder / RESTORING).unlink()
        flush_folder(destination.folder)  # or a power cut brings the note back, and what is done since is undone
    whole = [entry for entry in entries.values() if entry.key not in lost]
    size = sum(entry.size_bytes for entry in whole)
    return RestoreReport(workspace.name, chosen, len(whole), size, tuple(sorted(lost)), tuple(erased))


def _chosen(place: BackupPlace, name: str | None) -> Snapshot:
    snapshots = place.snapshots()
    if not snapshots:
        raise NotFound("snapshot", name or "newest", [], f"no backup in {place.objects.url} was ever completed")
    if name is None:
        return snapshots[-1]
    for snapshot in snapshots:
        if snapshot.name == name:
            return snapshot
    raise NotFound("snapshot", name, [snapshot.name for snapshot in snapshots])


def _begin(place: BackupPlace, snapshot: Snapshot, destination: Destination) -> None:
    """Make sure that nothing is there but what an interrupted attempt has left, and note what is to be."""
    folder = destination.folder
    note = _read_note(folder)
    if note is not None:
        asked = _asked(destination, place, snapshot)
        differing = [name for name, value in asked.items() if note[name] != value]
        if differing:
            raise Conflict(
                f"{folder} was being restored with another {differing[0]} ({note[differing[0]]}); repeat that, or "
                "restore to another folder"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        what = "is a workspace" if (folder / FILE_NAME).exists() else "is not empty"
        raise Conflict(f"{folder} {what}; restore to a folder that is empty or not there: --workspace FOLDER")
    refuse_rows(resolved_catalog(folder, destination.catalog))
    if "://" in destination.store or Path(resolved_store(folder, destination.store)).is_dir():
        objects = open_objects(resolved_store(folder, destination.store))
        held = [prefix for prefix in PREFIXES if objects.folders(prefix) or objects.keys(prefix)]
        if held:
            raise Conflict(f"{objects.url} already holds {', '.join(held)}; give a store without objects: --store URL")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _note(destination, place, snapshot, catalog=False)


def _with_catalog(place: BackupPlace, snapshot: Snapshot, destination: Destination) -> CatalogNames:
    """Fill the catalog, unless an interrupted attempt has; gives what it names."""
    url = resolved_catalog(destination.folder, destination.catalog)
    dump = place.checked(snapshot, "catalog")
    note = _read_note(destination.folder)
    if note is None or not note["has_catalog"]:
        # It was empty when the note was written, and is filled in one transaction.
        held, dumped = rows_by_table(url), snapshot.manifest["catalog"]["rows"]
        if not any(held.values()) or any(held.get(name) != count for name, count in dumped.items()):
            import_catalog(url, dump)
        _note(destination, place, snapshot, catalog=True)
    return CatalogNames.of(dump)


def _asked(destination: Destination, place: BackupPlace, snapshot: Snapshot) -> dict[str, Any]:
    catalog = make_url(resolved_catalog(destination.folder, destination.catalog))
    return {
        "source": place.objects.url,
        "snapshot": snapshot.name,
        "name": destination.name,
        "catalog": catalog.render_as_string(hide_password=True),
        "store": resolved_store(destination.folder, destination.store),
    }


def _note(destination: Destination, place: BackupPlace, snapshot: Snapshot, *, catalog: bool) -> None:
    content = {**_asked(destination, place, snapshot), "has_catalog": catalog}
    partial = destination.folder / f"{RESTORING}.partial"
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(destination.folder / RESTORING)
    flush_folder(destination.folder)


def _read_note(folder: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads((folder / RESTORING).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return note


def _opened(destination: Destination) -> Workspace:
    if not (destination.folder / FILE_NAME).exists():
        lay_out_workspace(
            destination.folder, name=destination.name, catalog=destination.catalog, store=destination.store
        )
    return open_workspace(destination.folder, restoring=True)


def _copy(
    place: BackupPlace,
    workspace: Workspace,
    entries: Sequence[Entry],
    on_progress: Callable[[int, int], None],
) -> set[str]:
    """Copy objects into a workspace, those last that make others visible; gives the keys that the backup lacks."""
    lost, done = set[str](), 0
    copy = partial(_restored, place, workspace)
    visible_last = sorted(entries, key=lambda entry: entry.key.startswith("datasets/") and entry.key.endswith(".json"))
    first_visible = sum(not entry.key.startswith("datasets/") or not entry.key.endswith(".json") for entry in entries)
    with copying_threads(_AT_ONCE) as threads:
        for part in (visible_last[:first_visible], visible_last[first_visible:]):
            for entry, is_whole in zip(part, threads.map(copy, part), strict=True):
                done += 1
                on_progress(done, len(entries))
                if not is_whole:
                    lost.add(entry.key)
    return lost


def _restored(place: BackupPlace, workspace: Workspace, entry: Entry) -> bool:
    """Put one object in its place; False if the backup has it not, or not as it was."""
    target = source_of(workspace, entry.key)
    try:
        if target.size(entry.key) == entry.size_bytes and object_sha256(target, entry.key) == entry.sha256:
            return True  # by an attempt that was interrupted
    except CorruptObject:
        pass  # it is not there yet
    try:
        with content_of(place.objects, entry.place, entry.size_bytes, workspace.temporary) as (content, sha256, _):
            if sha256 != entry.sha256:
                return False
            target.put(entry.key, content)
    except Vanished:
        return False
    return True


def _erase_again(place: BackupPlace, snapshot: Snapshot, names: CatalogNames, workspace: Workspace) -> Iterable[str]:
    """Apply the erasures that a later backup has noted: who was erased does not come back."""
    applied = []
    for receipt in unknown_to(snapshot, place.receipts()):
        content = place.tombstone(receipt)
        workspace.objects.put(f"{LEDGER}/{receipt}.json", content)
        tombstone = json.loads(content)
        recordings, contributor = named_in(names, tombstone)
        if not recordings and contributor is None:
            continue
        why = f"erased before, receipt {receipt}"
        staying = recordings - set(workspace.catalog.departed(recordings))
        for recording in sorted(staying):
            workspace.catalog.withdraw(recording, who=str(tombstone["by"]), why=why)
        if contributor is not None and contributor in workspace.catalog.contributors():
            erase(workspace, contributor, who=str(tombstone["by"]))
        elif recordings:
            erase(workspace, None, who=str(tombstone["by"]))
        applied.append(receipt)
    return applied
