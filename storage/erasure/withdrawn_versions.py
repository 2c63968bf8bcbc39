"""Versions that are taken back: a tombstone in place of the manifest, and a version without the people who left."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import CorruptObject
from kinesphere.objects.store import Objects
from kinesphere.version import __version__
from kinesphere.versions.manifests import (
    FORMAT_VERSION,
    WITHDRAWN_KIND,
    Version,
    hash_of,
    list_datasets,
    read_episodes,
    read_manifest,
    version_key,
    version_keys,
)
from kinesphere.versions.parquet_memory import open_parquet
from storage.publishing.version_writer import write_version


@dataclass(frozen=True)
class Departed:
    """Whose episodes leave the versions."""

    receipt: str
    """Of the erasure; versions and tombstones that follow from it name it."""
    recordings: Collection[str]
    contributor: str | None = None
    """All of this contributor's episodes, whether or not their recording is listed."""

    def staying(self, episodes: pa.Table) -> pa.Table:
        """The rows of an episode table that stay."""
        departed = pc.is_in(episodes["recording"], pa.array(sorted(self.recordings), pa.string()))
        if self.contributor is not None:
            departed = pc.or_(departed, pc.equal(episodes["contributor"], self.contributor))
        return episodes.filter(pc.invert(departed))

    def named(self, episodes: pa.Table) -> int:
        """How many rows of a table with the columns `recording` and `contributor` are of those who leave."""
        return int(episodes.num_rows - self.staying(episodes).num_rows)


@dataclass(frozen=True)
class Replaced:
    """A version that was withdrawn by an erasure."""

    dataset: str
    number: int
    replaced_by: int | None
    """None if nothing of it is left."""


def replace_versions(objects: Objects, departed: Departed, *, created_by: str) -> list[Replaced]:
    """Withdraw every version that names those who leave, once a version without them is there in its place.

    The newest version stays the one with the highest number: it is replaced last, or, where it names none of
    them but an older one does, it is written once more. Interrupted anywhere and repeated, it ends the same.

    Returns:
        All versions that this erasure has withdrawn, those of earlier attempts among them.

    Raises:
        CorruptObject: a version cannot be read, so that nobody can tell whom it names.
    """
    return [
        replaced for name in list_datasets(objects) for replaced in _replace_in(objects, name, departed, created_by)
    ]


def _replace_in(objects: Objects, dataset: str, departed: Departed, created_by: str) -> list[Replaced]:
    keys = objects.keys(f"datasets/{dataset}/versions")
    _delete_unfinished(objects, dataset, keys, departed)
    manifests = [read_manifest(objects, dataset, number) for number in _numbers_of(keys, "json")]
    replacements = {
        _origin(version): version.number
        for version in manifests
        if not version.is_withdrawn and version.manifest.get("erasure", {}).get("receipt") == departed.receipt
    }
    others = [version for version in manifests if version.number not in replacements.values()]
    for version in others:
        if version.is_withdrawn:
            delete_content(objects, version)  # of one that was withdrawn when an earlier attempt was interrupted
            continue
        try:
            episodes = read_episodes(objects, version)
        except CorruptObject:
            if read_manifest(objects, dataset, version.number).is_withdrawn:
                continue  # by its publisher, who has found that somebody in it left
            raise
        staying = departed.staying(episodes)
        if staying.num_rows == episodes.num_rows:
            continue
        if version.number not in replacements and staying.num_rows:
            replacements[version.number] = _write(objects, version, "replaces", staying, departed, created_by)
        withdraw_version(objects, version, receipt=departed.receipt, replaced_by=replacements.get(version.number))
    if not others:
        return []  # nothing was published there, or it was all taken away meanwhile
    newest = others[-1]
    if replacements and newest.number not in replacements and newest.number < max(replacements.values()):
        now = read_manifest(objects, dataset, newest.number)
        if not now.is_withdrawn:
            _write(objects, now, "repeats", read_episodes(objects, now), departed, created_by)
    return [
        Replaced(dataset, version.number, now.manifest["replaced_by"])
        for version in others
        if (now := read_manifest(objects, dataset, version.number)).is_withdrawn
        and now.manifest["receipt"] == departed.receipt
    ]


def _origin(version: Version) -> int:
    """The version that one which follows from an erasure replaces or repeats."""
    erasure = version.manifest["erasure"]
    return int(erasure["replaces"] if "replaces" in erasure else erasure["repeats"])


def _write(
    objects: Objects, version: Version, relation: str, staying: pa.Table, departed: Departed, created_by: str
) -> int:
    where = version.manifest["where"]
    if where is not None and f"'{departed.contributor}'" in where:
        where = None  # it would name whom nothing is to name
    made = write_version(
        objects,
        version.dataset,
        staying,
        where=where,
        created_by=created_by,
        video=version.manifest.get("video", "raw"),
        criteria=version.manifest.get("criteria"),
        tasks=version.manifest.get("tasks"),
        erasure={"receipt": departed.receipt, relation: version.number},
        # not where it tells of recordings that left
        agreement=version.manifest.get("agreement") if relation == "repeats" else None,
        # not the limits: without those who left they may not hold any more
        rules={name: version.manifest[name] for name in ("needs", "splits") if name in version.manifest},
    )
    return made.number


def withdraw_version(objects: Objects, version: Version, *, replaced_by: int | None, receipt: str = "") -> None:
    """Put a tombstone in place of a manifest, then delete what the manifest named.

    Args:
        receipt: of the erasure; none where recordings were withdrawn while they were published.
    """
    tombstone = {
        "format_version": FORMAT_VERSION,
        "kind": WITHDRAWN_KIND,
        "dataset": version.dataset,
        "number": version.number,
        "withdrawn_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "replaced_by": replaced_by,
        "receipt": receipt,
        "software": {"kinesphere": __version__},
    }
    tombstone["sha256"] = hash_of(tombstone)
    content = (json.dumps(tombstone, indent=2) + "\n").encode()
    objects.put(version_key(version.dataset, version.number, "json"), content)
    delete_content(objects, version)


def delete_content(objects: Objects, version: Version) -> None:
    """Delete every object of a version but its manifest, or the tombstone in place of it."""
    for key in version_keys(objects, version.dataset, version.number)[:-1]:
        objects.delete(key)


def _delete_unfinished(objects: Objects, dataset: str, keys: Collection[str], departed: Departed) -> None:
    """Delete tables without a manifest that name those who leave: their publisher died, or is not done yet.

    One that is not done finds that recordings of its version were withdrawn, and publishes anew.
    """
    finished = _numbers_of(keys, "json")
    for key in keys:
        number = int(PurePosixPath(key).name.split(".")[0])
        if number not in finished and key.endswith(".parquet"):
            try:
                episodes = open_parquet(objects.get(key)).read()
            except CorruptObject:
                if objects.exists(key):
                    raise
                continue  # its publisher has taken it back
            if departed.staying(episodes).num_rows < episodes.num_rows:
                objects.delete(key)


def _numbers_of(keys: Collection[str], ending: str) -> list[int]:
    names = (PurePosixPath(key) for key in keys)
    return sorted(int(name.stem) for name in names if name.suffix == f".{ending}" and name.stem.isdigit())
