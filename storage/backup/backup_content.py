"""What a snapshot of the catalog, and the versions beside it, point to: the objects that its backup must hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kinesphere.errors import CorruptObject, KinesphereError
from kinesphere.objects.begun_notes import is_begun_note
from kinesphere.objects.object_listing import StoredObject, list_objects
from kinesphere.objects.store import Objects, open_objects
from kinesphere.shards.shard import Shard, shard_key
from kinesphere.versions.manifests import read_manifest, version_key
from kinesphere.versions.table_parts import parts_of, read_table
from kinesphere.video.video_keys import video_key
from storage.backup.backup_place import LEDGER
from storage.backup.catalog_dump import read_rows
from storage.inspection.workspace_inspection import HERE
from storage.recordings.recording import State, description_key
from storage.workspace import Workspace

DRAFTS = "drafts"
PREFIXES = ("recordings", "shards", "datasets", "cameras", LEDGER)
"""Below these a workspace keeps its objects."""
_VERSION = re.compile(r"datasets/([^/]+)/versions/(\d{6,})\.(.+)")
_AT_ONCE = 16


@dataclass(frozen=True)
class CatalogNames:
    """What a dump of a catalog names."""

    recordings: Mapping[str, tuple[State, str]]
    """State and SHA-256 of the video, of each that was not erased and not sent elsewhere."""
    shards: frozenset[str]
    contributors: frozenset[str]

    @classmethod
    def of(cls, dump: bytes) -> CatalogNames:
        """Read a dump.

        Args:
            dump: what `storage.backup.catalog_dump` gave.

        Returns:
            The names.

        Raises:
            CorruptObject: it is damaged.
        """
        recordings, shards, contributors = dict[str, tuple[State, str]](), set[str](), set[str]()
        for part in read_rows(dump):
            place = {name: number for number, (name, _) in enumerate(part.columns)}
            if part.table == "recording":
                for row in part.rows:
                    state = State(row[place["state"]])
                    if state is not State.ERASED and row[place["sent_to"]] is None:
                        recordings[row[place["recording"]]] = state, row[place["video_sha256"]]
            elif part.table == "trajectory":
                shards |= {row[place["shard"]] for row in part.rows}
            elif part.table == "contributor":
                contributors |= {row[place["contributor"]] for row in part.rows}
        return cls(recordings, frozenset(shards), frozenset(contributors))


@dataclass(frozen=True)
class Content:
    """The objects of a snapshot, as they are in the workspace."""

    there: Mapping[str, StoredObject]
    """By key in the backup; see `Entry.key`."""
    missing: frozenset[str]
    """Keys that must be there and are not."""


def local_drafts(workspace: Workspace) -> Objects:
    """The files of the workspace's own folder as objects; drafts lie under `DRAFTS`."""
    return open_objects(workspace.folder)


def source_of(workspace: Workspace, key: str) -> Objects:
    """Where the object of a key in a backup comes from, and is restored to."""
    return local_drafts(workspace) if key.startswith(f"{DRAFTS}/") else workspace.objects


def numbered_versions(objects: Objects) -> set[tuple[str, int]]:
    """The versions that are there: those published later may name what an earlier dump of the catalog does not."""
    keys = (_VERSION.fullmatch(found.key) for found in list_objects(objects, "datasets"))
    return {(match[1], int(match[2])) for match in keys if match is not None and match[3] == "json"}


def find_content(
    workspace: Workspace, names: CatalogNames, versions: set[tuple[str, int]], known: Mapping[str, str]
) -> Content:
    """Look for all that a dump of the catalog, and some versions, point to.

    Args:
        names: what the dump names.
        versions: those that were there when it was taken.
        known: the tags of what the last whole backup holds, or should, by key.
    """
    objects = workspace.objects
    listed = {found.key: found for prefix in PREFIXES for found in list_objects(objects, prefix)}
    needed, shards = set[str](), set(names.shards)
    for dataset, number in sorted(versions):
        keys, of_version = _of_version(objects, dataset, number)
        needed |= keys
        shards |= of_version
    there = {key: found for key, found in listed.items() if _is_pointed_to(key, names.recordings, shards, versions)}
    there |= _drafts(workspace, names)
    for recording, (state, _) in names.recordings.items():
        if state in HERE:
            needed |= {description_key(recording), video_key(recording)}
        elif state is State.DRAFT:
            needed |= {f"{DRAFTS}/{recording}/recording.json", f"{DRAFTS}/{recording}/video.mp4"}
    needed |= _of_shards(objects, shards, there, known)
    return Content(there, frozenset(needed - there.keys()))


def _is_pointed_to(
    key: str, recordings: Mapping[str, object], shards: set[str], versions: set[tuple[str, int]]
) -> bool:
    prefix, name, *_ = key.split("/")
    if is_begun_note(key):
        return False  # of a writer; what it writes is there or is not
    if prefix == "recordings":
        return name in recordings
    if prefix == "shards":
        return name.removesuffix(".zarr") in shards
    if prefix == "datasets":
        match = _VERSION.fullmatch(key)
        return match is not None and (match[1], int(match[2])) in versions
    return True


def _drafts(workspace: Workspace, names: CatalogNames) -> Iterator[tuple[str, StoredObject]]:
    drafts = {recording for recording, (state, _) in names.recordings.items() if state is State.DRAFT}
    if workspace.drafts.is_dir() and drafts:
        for found in list_objects(local_drafts(workspace), DRAFTS):
            if found.key.split("/")[1] in drafts:
                yield found.key, found


def _of_version(objects: Objects, dataset: str, number: int) -> tuple[set[str], set[str]]:
    """The keys that a version must have, and the shards that its episodes lie in."""
    key = version_key(dataset, number, "json")
    try:
        version = read_manifest(objects, dataset, number)
        if version.is_withdrawn:
            return {key}, set()
        parts = parts_of(version.manifest)
        keys = {key, *(part.key for part in parts)}
    except KinesphereError:
        return {key}, set()  # damaged: it is copied as it is, and `doctor` says so
    try:
        return keys, set(read_table(objects, parts, ["shard"])["shard"].unique().to_pylist())
    except CorruptObject:
        return keys, set()


def _of_shards(
    objects: Objects, shards: set[str], there: Mapping[str, StoredObject], known: Mapping[str, str]
) -> set[str]:
    """The keys that shards must have; what a shard says of itself is read once, when it is new."""
    of_known: dict[str, set[str]] = {}
    for key in known:
        if key.startswith("shards/"):
            of_known.setdefault(key.split("/")[1], set()).add(key)
    keys = {f"{shard_key(shard)}/zarr.json" for shard in shards}

    def look(shard: str) -> set[str]:
        group = f"{shard_key(shard)}/zarr.json"
        if group not in there:
            return of_known.get(f"{shard}.zarr", set())
        if known.get(group) and known[group] == there[group].tag:
            return of_known[f"{shard}.zarr"]
        try:
            return {f"{shard_key(shard)}/{inside}" for inside in Shard(objects, shard).attributes["objects"]}
        except KinesphereError:
            return set()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return keys.union(*threads.map(look, sorted(shards)))
