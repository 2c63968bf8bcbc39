"""Whether all that the snapshots of a backup name is there, byte for byte."""

from __future__ import annotations

from collections.abc import Callable

from kinesphere.errors import CorruptObject
from storage.backup.backup_place import BackupPlace, Entry
from storage.backup.object_copy import copying_threads
from storage.inspection.workspace_inspection import object_sha256

_AT_ONCE = 8


def find_damage(place: BackupPlace, on_progress: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
    """Read all of a backup and compare every hash.

    Args:
        place: of the backup.
        on_progress: told how many objects of how many are done.

    Returns:
        The keys, in the backup, of what is missing or damaged; empty where a restore would find all.

    Raises:
        CorruptObject: a manifest or a list of objects is damaged.
    """
    needed: dict[str, Entry] = {}
    damaged = []
    for snapshot in place.snapshots():
        place.checked(snapshot, "catalog")
        needed |= {entry.place: entry for entry in place.entries(snapshot).values()}
    with copying_threads(_AT_ONCE) as threads:
        whole = threads.map(lambda entry: _is_whole(place, entry), needed.values())
        for done, (key, is_whole) in enumerate(zip(needed, whole, strict=True), 1):
            on_progress(done, len(needed))
            if not is_whole:
                damaged.append(key)
    return damaged


def _is_whole(place: BackupPlace, entry: Entry) -> bool:
    try:
        return object_sha256(place.objects, entry.place) == entry.sha256
    except CorruptObject:
        return False  # it is missing
