"""What a store says of its objects without reading them: their sizes, and a mark that changes with the content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import obstore
from obstore.exceptions import BaseError

from kinesphere.errors import StorageFailed
from kinesphere.objects.process_state import check_not_forked
from kinesphere.objects.store import Objects
from kinesphere.objects.store_errors import failed, first_line


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing shows it."""

    key: str
    size_bytes: int
    tag: str
    """The store's mark of this content at this place: as long as it stays, nothing was written here. May be empty."""
    changed_at: datetime
    """When it was written, UTC."""


def list_objects(objects: Objects, prefix: str) -> list[StoredObject]:
    """All objects below a prefix.

    Args:
        objects: an object store.
        prefix: folders with slashes between, without one at the end.

    Returns:
        One entry an object, by key; none where there is no such prefix.

    Raises:
        StorageFailed: the store refused.
    """
    check_not_forked()
    try:
        found = [
            StoredObject(str(meta["path"]), int(meta["size"]), str(meta["e_tag"] or ""), meta["last_modified"])
            for page in obstore.list(objects.raw, prefix)
            for meta in page
        ]
    except (BaseError, OSError) as error:
        reason = first_line(error)
        raise StorageFailed(f"cannot list '{prefix}' in {objects.url}: {reason}") from error
    return sorted(found, key=lambda entry: entry.key)


def total_size(objects: Objects, prefix: str) -> tuple[int, int]:
    """How many objects there are below a prefix, and their bytes together; it lists all of them and keeps none.

    Args:
        objects: an object store.
        prefix: folders with slashes between, without one at the end.

    Returns:
        Number of objects and number of bytes.

    Raises:
        StorageFailed: the store refused.
    """
    check_not_forked()
    count = total = 0
    try:
        for page in obstore.list(objects.raw, prefix):
            count += len(page)
            total += sum(int(meta["size"]) for meta in page)
    except (BaseError, OSError) as error:
        raise failed(objects.url, prefix, error) from error
    return count, total
