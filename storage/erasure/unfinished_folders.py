"""Folders of recordings and shards: whose they are, also where their writer was killed before it described them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from kinesphere.errors import CorruptObject
from kinesphere.objects.begun_notes import begun_contents, begun_key
from kinesphere.objects.store import Objects
from storage.erasure.unfinished_files import is_quiet

DESCRIBED_BY = {"recordings": "recording.json", "shards": "zarr.json"}
"""What says whose a folder is, by the prefix that the folder lies below."""

_ABANDONED = timedelta(days=1)
"""A shard takes seconds to write, in an object store minutes: what is older was left by a writer that died."""


def description_of(objects: Objects, key: str) -> dict[str, Any] | None:
    """What an object says of the folder that it lies in; where it is not there, what it was to say.

    Args:
        objects: an object store.
        key: of a `recording.json`, or of a shard's `zarr.json`.

    Returns:
        What it holds; None where nothing tells, or what would is damaged.

    Raises:
        StorageFailed: the store refused.
    """
    described = _parsed(objects, key)
    if described is not None:
        return described
    begun = begun_description(objects, key)
    return _parsed(objects, key) if begun is None else begun  # it was finished when it was looked at


def begun_description(objects: Objects, key: str) -> dict[str, Any] | None:
    """What an object is to say that is being written, or was when its writer was killed.

    Args:
        objects: an object store.
        key: of the object, which is not there.

    Returns:
        What it was to hold; None where nobody has begun to write, or one of an earlier release has.

    Raises:
        StorageFailed: the store refused.
    """
    path = objects.local_path(key)
    for content in [] if path is None else begun_contents(path):
        begun = _json(content)
        if begun is not None:
            return begun
    return _parsed(objects, begun_key(key))


def is_abandoned(objects: Objects, prefix: str) -> bool:
    """Whether whoever wrote below a prefix, and did not describe it, has died, or has taken all back.

    Args:
        objects: an object store.
        prefix: a folder of a recording or a shard.

    Returns:
        False where somebody may still be writing.

    Raises:
        StorageFailed: the store refused.
    """
    if not objects.keys(prefix):
        return is_quiet(objects.local_path(prefix))
    return datetime.now(UTC) - objects.changed_at(prefix) > _ABANDONED


def _parsed(objects: Objects, key: str) -> dict[str, Any] | None:
    try:
        return _json(objects.get(key))
    except CorruptObject:
        return None  # there is none


def _json(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
