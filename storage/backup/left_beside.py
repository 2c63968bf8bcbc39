"""What lies beside the videos and tells of a catalog that is lost: descriptions, shards, versions, tombstones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kinesphere.errors import CorruptObject, KinesphereError
from kinesphere.objects.object_listing import list_objects
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import Shard
from kinesphere.trajectory import Valid
from kinesphere.versions.manifests import Version, list_datasets, numbers_of, read_episodes, read_manifest
from storage.backup.backup_place import LEDGER
from storage.catalog import TrajectoryRecord
from storage.recordings.recording import RecordingFile, description_key
from storage.workspace import Workspace

_AT_ONCE = 16


@dataclass(frozen=True)
class FoundTrajectory:
    """A trajectory in a shard, and since when the shard lies there."""

    record: TrajectoryRecord
    written_at: datetime


@dataclass(frozen=True)
class FoundVersion:
    """A version that was not withdrawn, with its episodes by recording."""

    version: Version
    created_at: datetime
    episodes: Mapping[str, list[dict[str, Any]]]


@dataclass
class Found:
    """All that was found, and what could not be read."""

    descriptions: dict[str, RecordingFile] = field(default_factory=dict)
    """Of recordings that were handed in."""
    drafts: dict[str, RecordingFile] = field(default_factory=dict)
    trajectories: list[FoundTrajectory] = field(default_factory=list)
    versions: list[FoundVersion] = field(default_factory=list)
    """Newest first."""
    tombstones: list[dict[str, Any]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    """Ids of recordings that were erased."""
    unreadable: list[str] = field(default_factory=list)
    """A line each."""


def look_beside(workspace: Workspace) -> Found:
    """Read the descriptions, shards, versions and tombstones of a workspace, whatever its catalog says."""
    found, objects = Found(), workspace.objects
    for key in objects.keys(LEDGER):
        try:
            tombstone = json.loads(objects.get(key))
            found.erased |= set(tombstone["recordings"])
            found.tombstones.append(tombstone)
        except (ValueError, KeyError, TypeError, CorruptObject) as error:
            found.unreadable.append(f"{key}: {error}")
    _read_descriptions(objects, found)
    _read_drafts(workspace, found)
    _read_shards(objects, found)
    _read_versions(objects, found)
    published = {recording for version in found.versions for recording in version.episodes}
    for recording in sorted(published - found.descriptions.keys() - set(objects.folders("recordings"))):
        found.unreadable.append(f"recording {recording}: a version has episodes of it, and its folder is gone")
    return found


def _read_descriptions(objects: Objects, found: Found) -> None:
    names = [name for name in objects.folders("recordings") if name not in found.erased]

    def read(name: str) -> RecordingFile | str:
        key = description_key(name)
        try:
            description = RecordingFile.from_bytes(objects.get(key), key)
        except KinesphereError as error:
            return f"recording {name}: {error}"
        return description if description.recording == name else f"recording {name}: '{key}' is of another recording"

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for name, read_so in zip(names, threads.map(read, names), strict=True):
            if isinstance(read_so, str):
                found.unreadable.append(read_so)
            else:
                found.descriptions[name] = read_so


def _read_drafts(workspace: Workspace, found: Found) -> None:
    for folder in sorted(workspace.drafts.iterdir()) if workspace.drafts.is_dir() else []:
        file = folder / "recording.json"
        if folder.name in found.erased or not file.is_file() or not (folder / "video.mp4").is_file():
            continue
        try:
            found.drafts[folder.name] = RecordingFile.from_bytes(file.read_bytes(), str(file))
        except KinesphereError as error:
            found.unreadable.append(f"draft {folder.name}: {error}")


def _read_shards(objects: Objects, found: Found) -> None:
    written = {
        entry.key.split("/")[1].removesuffix(".zarr"): entry.changed_at
        for entry in list_objects(objects, "shards")
        if entry.key.count("/") == 2 and entry.key.endswith("/zarr.json")
    }

    def read(shard_id: str) -> list[TrajectoryRecord] | str:
        try:
            return list(_trajectories(Shard(objects, shard_id)))
        except KinesphereError as error:
            return f"shard {shard_id}: {error}"

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for (_, at), read_so in zip(written.items(), threads.map(read, written), strict=True):
            if isinstance(read_so, str):
                found.unreadable.append(read_so)
            else:
                found.trajectories += [FoundTrajectory(record, at) for record in read_so]


def _trajectories(shard: Shard) -> Iterator[TrajectoryRecord]:
    for place in shard.attributes["trajectories"]:
        first, length = int(place["first_frame"]), int(place["length"])
        valid = shard.read("valid", first, first + length)
        body, left, right = (
            float(((valid & flag) > 0).mean()) for flag in (Valid.BODY, Valid.LEFT_HAND, Valid.RIGHT_HAND)
        )
        yield TrajectoryRecord(
            recording=str(place["recording"]),
            extractor=str(shard.attributes["extractor_id"]),
            shard=shard.shard_id,
            first_frame=first,
            length=length,
            scale=str(place["scale"]),
            body_share=body,
            left_hand_share=left,
            right_hand_share=right,
        )


def _read_versions(objects: Objects, found: Found) -> None:
    for dataset in list_datasets(objects):
        for number in numbers_of(objects, dataset):
            try:
                version = read_manifest(objects, dataset, number)
                if version.is_withdrawn:
                    continue
                rows = read_episodes(objects, version).to_pylist()
            except KinesphereError as error:
                found.unreadable.append(f"version {dataset}@{number}: {error}")
                continue
            episodes: dict[str, list[dict[str, Any]]] = {}
            for row in rows:
                episodes.setdefault(row["recording"], []).append(row)
            at = datetime.fromisoformat(version.manifest["created_at"]).astimezone(UTC)
            found.versions.append(FoundVersion(version, at, episodes))
    found.versions.sort(key=lambda one: (one.created_at, one.version.number), reverse=True)
