"""What a backup needs no more: snapshots beyond those to keep, those that name the erased, and what only they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from storage.backup.backup_content import CatalogNames
from storage.backup.backup_place import BackupPlace, Snapshot
from storage.catalog.erasure_entries import fingerprint

_AT_ONCE = 16


@dataclass(frozen=True)
class Removed:
    """What was deleted from a backup."""

    objects: int
    bytes: int
    snapshots: tuple[str, ...]
    """Names of those that were beyond the number to keep."""
    erased: tuple[str, ...]
    """Names of those that named somebody, or a recording, that was erased since."""


def remove_old(place: BackupPlace, keep: int) -> Removed:
    """Delete old snapshots, those that name what was erased since, and every object that none of the others names.

    Args:
        place: of the backup.
        keep: how many of the newest snapshots stay.
    """
    snapshots = place.snapshots()
    old = snapshots[:-keep]
    receipts = place.receipts()
    erased = [snapshot for snapshot in snapshots[-keep:] if _names_any(place, snapshot, unknown_to(snapshot, receipts))]
    for snapshot in (*old, *erased):
        place.remove(snapshot.name)
    gone = {snapshot.name for snapshot in (*old, *erased)}
    needed = {
        entry.place for snapshot in snapshots if snapshot.name not in gone for entry in place.entries(snapshot).values()
    }
    unneeded = {key: size for key, size in place.stored().items() if key not in needed}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _ in threads.map(place.objects.delete, unneeded):
            pass
    _remove_empty_folders(place, unneeded)
    return Removed(
        len(unneeded),
        sum(unneeded.values()),
        tuple(snapshot.name for snapshot in old),
        tuple(snapshot.name for snapshot in erased),
    )


def unknown_to(snapshot: Snapshot, receipts: Iterable[str]) -> list[str]:
    """The receipts of erasures that were not done yet when a snapshot was taken."""
    return sorted(set(receipts) - set(snapshot.manifest["erasures"]))


def named_in(names: CatalogNames, tombstone: Mapping[str, Any]) -> tuple[set[str], str | None]:
    """What a catalog names of what an erasure took: recordings, and the contributor."""
    recordings = names.recordings.keys() & set(tombstone["recordings"])
    digest = tombstone["contributor_sha256"]
    for contributor in names.contributors if digest is not None else ():
        if fingerprint(tombstone["receipt"], contributor) == digest:
            return recordings, contributor
    return recordings, None


def _names_any(place: BackupPlace, snapshot: Snapshot, receipts: list[str]) -> bool:
    if not receipts:
        return False
    names = CatalogNames.of(place.checked(snapshot, "catalog"))
    return any(any(named_in(names, json.loads(place.tombstone(receipt)))) for receipt in receipts)


def _remove_empty_folders(place: BackupPlace, keys: Iterable[str]) -> None:
    """Where objects are files, folders that have become empty go too: their names tell who was here."""
    for key in keys:
        path = place.objects.local_path(key)
        while path is not None and path.parent != place.objects.local_path("objects"):
            path = path.parent
            try:
                path.rmdir()
            except OSError:
                break  # it holds something
