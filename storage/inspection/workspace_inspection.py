"""Looks at what a workspace holds: every recording, shard and version that the catalog or a manifest names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text

from kinesphere.errors import CorruptObject, KinesphereError
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import Shard
from kinesphere.versions.manifests import list_datasets, list_versions, read_episodes, read_manifest, version_key
from kinesphere.video.video_keys import video_key
from storage.catalog import Erasures, FailedTries, RecordingRecord
from storage.inspection.leftovers import Leftover, leftovers
from storage.inspection.stated_deviations import deviations_amiss
from storage.recordings.recording import RecordingFile, State, description_key
from storage.workspace import Workspace

_AT_ONCE = 16
_BLOCK_BYTES = 1 << 20
HERE = frozenset({State.SUBMITTED, State.ACCEPTED, State.FLAGGED, State.REJECTED, State.RETURNED})
"""In these states a recording's video is among the objects."""


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was confirmed to be."""

    what: str
    """A recording, shard, version, object or file, by its name."""
    words: str
    """What is wrong, and what helps."""
    is_repairable: bool = False
    """Whether `storage.inspection.leftovers.repair` takes it away: nothing that was confirmed is in it."""


@dataclass(frozen=True)
class Inspection:
    """What was looked at, and what is wrong."""

    recordings: int
    shards: int
    versions: int
    problems: tuple[Problem, ...]
    leftovers: tuple[Leftover, ...]


def inspect(
    workspace: Workspace, *, deep: bool = False, on_step: Callable[[str], None] = lambda step: None
) -> Inspection:
    """Look at every catalog row, object, shard and version of a workspace, and change nothing.

    Args:
        workspace: an open workspace.
        deep: read all bytes, compare their hashes, and standard deviations with their numbers. Else sizes and metadata
            are compared, which finds what is missing, empty or cut short.
        on_step: told in a few words what is looked at next.

    Returns:
        What was found; problems by name.
    """
    on_step("the catalog")
    found = list(_in_catalog(workspace))
    rows = [row for row in workspace.catalog.recordings() if row.sent_to is None]
    stored = [row for row in rows if row.state in HERE]
    on_step("recordings")
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for problems in threads.map(partial(_of_recording, workspace.objects, deep=deep), stored):
            found += problems
        found += _of_drafts(workspace, rows)
        on_step("shards")
        named = sorted(Erasures(workspace.catalog).known()[1] | _shards_of_versions(workspace))
        for problems in threads.map(partial(_of_shard, workspace.objects, deep=deep), named):
            found += problems
    on_step("versions")
    versions = 0
    for dataset in list_datasets(workspace.objects):
        for number in list_versions(workspace.objects, dataset):
            versions += 1
            found += _of_version(workspace.objects, dataset, number)
    on_step("leftovers")
    left = tuple(leftovers(workspace))
    found += [Problem(leftover.where, leftover.words, is_repairable=True) for leftover in left]
    return Inspection(len(stored), len(named), versions, tuple(found), left)


def _in_catalog(workspace: Workspace) -> Iterator[Problem]:
    catalog = workspace.catalog
    if catalog.engine.dialect.name == "sqlite":
        with catalog.reading() as session:
            for check in ("integrity_check", "foreign_key_check"):
                for said in session.execute(text(f"PRAGMA {check}")).all():
                    if tuple(said) != ("ok",):
                        words = " ".join(map(str, said))
                        yield Problem("catalog", f"{check} says: {words}; restore it from a copy")
    unprocessed = FailedTries(catalog).unprocessed()
    for row in catalog.recordings(State.ACCEPTED, State.FLAGGED):
        if row.sent_to is None and row.recording not in unprocessed and catalog.trajectory(row.recording) is None:
            yield Problem(f"recording {row.recording}", f"is {row.state} and has no trajectory: process --again")


def _of_recording(objects: Objects, row: RecordingRecord, *, deep: bool) -> list[Problem]:
    name = f"recording {row.recording}"
    try:
        description = RecordingFile.from_bytes(
            objects.get(description_key(row.recording)), description_key(row.recording)
        )
    except KinesphereError as error:
        return [Problem(name, str(error)), *_of_video(objects, row, None, deep=deep)]
    differing = [
        field
        for field, said, known in (
            ("contributor", description.contributor, row.contributor),
            ("task", description.task, row.task),
            ("sha256 of the video", description.video.sha256, row.video_sha256),
        )
        if said != known
    ]
    problems = _of_video(objects, row, description.video.size_bytes, deep=deep)
    if differing:
        words = f"its recording.json has another {' and '.join(differing)} than the catalog; restore it from a copy"
        problems.append(Problem(name, words))
    return problems


def _of_video(objects: Objects, row: RecordingRecord, size_bytes: int | None, *, deep: bool) -> list[Problem]:
    name, key = f"recording {row.recording}", video_key(row.recording)
    try:
        size = objects.size(key)
        if size == 0:
            return [Problem(name, f"its video '{key}' is empty; restore it from a copy")]
        if size_bytes is not None and size != size_bytes:
            return [Problem(name, f"its video '{key}' has {size} bytes, not {size_bytes}; restore it from a copy")]
        if deep and object_sha256(objects, key) != row.video_sha256:
            return [Problem(name, f"its video '{key}' was changed: its sha256 differs; restore it from a copy")]
    except CorruptObject:
        return [Problem(name, f"its video '{key}' is missing; restore it from a copy")]
    return []


def _of_drafts(workspace: Workspace, rows: Sequence[RecordingRecord]) -> Iterator[Problem]:
    for row in rows:
        if row.state is State.DRAFT and not (workspace.drafts / row.recording / "video.mp4").is_file():
            words = "is a draft whose video is not here; if no other computer has it, take it back: kinesphere withdraw"
            yield Problem(f"recording {row.recording}", words)


def _of_shard(objects: Objects, shard_id: str, *, deep: bool) -> list[Problem]:
    name = f"shard {shard_id}"
    try:
        shard = Shard(objects, shard_id)
        attributes = shard.attributes
    except KinesphereError as error:
        return [Problem(name, f"{error}, or process its recordings again")]
    problems = []
    for inside, listed in attributes["objects"].items():
        key = f"{shard.key}/{inside}"
        try:
            if objects.size(key) != listed["size_bytes"] or (deep and object_sha256(objects, key) != listed["sha256"]):
                problems.append(Problem(name, f"object '{key}' was changed; restore it from a copy"))
        except CorruptObject:
            problems.append(Problem(name, f"object '{key}' is missing; restore it from a copy"))
    if deep and not problems:
        problems = [Problem(name, words) for words in _amiss(shard)]
    return problems


def _amiss(shard: Shard) -> list[str]:
    try:
        return deviations_amiss(shard)
    except KinesphereError as error:
        return [f"{error}, or process its recordings again"]


def _of_version(objects: Objects, dataset: str, number: int) -> list[Problem]:
    try:
        version = read_manifest(objects, dataset, number)
        if not version.is_withdrawn:
            read_episodes(objects, version)
    except KinesphereError as error:
        return [Problem(f"version {dataset}@{number} ({version_key(dataset, number, 'json')})", str(error))]
    return []


def _shards_of_versions(workspace: Workspace) -> set[str]:
    objects, found = workspace.objects, set[str]()
    for dataset in list_datasets(objects):
        for number in list_versions(objects, dataset):
            try:
                version = read_manifest(objects, dataset, number)
                if not version.is_withdrawn:
                    found |= set(read_episodes(objects, version)["shard"].unique().to_pylist())
            except KinesphereError:
                continue  # said of the version
    return found


def object_sha256(objects: Objects, key: str) -> str:
    """SHA-256 of an object, of which a little at a time is held in memory; CorruptObject if it is missing."""
    digest = hashlib.sha256()
    with objects.open(key) as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
