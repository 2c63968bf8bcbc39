"""Proof of an erasure: looks through everything for what is left of a contributor, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kinesphere.errors import KinesphereError
from kinesphere.objects.store import Objects
from kinesphere.versions.manifests import (
    Version,
    list_datasets,
    list_versions,
    read_episodes,
    read_manifest,
    version_key,
)
from storage.catalog import Erasures
from storage.catalog.freed_space import in_freed_space
from storage.erasure.cache_erasure import cached
from storage.erasure.derived_pictures import drawings_of
from storage.erasure.erasure import drafts_of, tombstone_key
from storage.erasure.unfinished_files import NAMELESS, hidden_files, temporary_of, uploads_of
from storage.erasure.unfinished_folders import DESCRIBED_BY, description_of
from storage.erasure.withdrawn_versions import Departed
from storage.exports.export_erasure import OUTCOMES, remains_in_exports
from storage.workspace import Workspace

_AT_ONCE = 16


@dataclass(frozen=True)
class Trace:
    """Something that is left of a contributor, or that cannot be read to tell."""

    where: str
    what: str


def find_traces(
    workspace: Workspace, contributor: str, on_step: Callable[[str], None] = lambda step: None
) -> list[Trace]:
    """Everything in a workspace that names a contributor, or belongs to recordings of theirs that were erased.

    It trusts no index: every recording's description, every shard's metadata and every version's table is read, so
    the work grows with the workspace. What cannot be read counts as left.

    Args:
        workspace: an open workspace.
        contributor: the pseudonymous id that they had.
        on_step: told in a few words what is looked at next.

    Returns:
        Where, and what is there; empty if nothing is left.
    """
    erasures = Erasures(workspace.catalog)
    tombstones = [record.tombstone for record in erasures.erased(contributor) if record.tombstone]
    recordings = frozenset(name for tombstone in tombstones for name in tombstone["recordings"])
    departed = Departed("", recordings, contributor)
    on_step("looking through the catalog")
    found = [Trace("catalog", mention) for mention in erasures.mentions(contributor)]
    found += [Trace("catalog", rest) for rest in erasures.remains_of(sorted(recordings))]
    found += [Trace("catalog", f"{rest}; erase again") for rest in _in_freed_space(workspace, contributor)]
    found += [Trace(str(folder), "draft") for folder in drafts_of(workspace, departed)]
    found += [Trace(str(file), "drawing") for file in drawings_of(workspace, departed)]
    found += [
        Trace(str(path), "an upload of theirs, or of nobody knows whom") for path in uploads_of(workspace, departed)
    ]
    gone = erasures.erased_recordings()
    found += [Trace(str(path), "unfinished file") for path in temporary_of(workspace, departed, gone)]
    found += [
        Trace(str(path), "a file that is being written, or was when a process was killed; erase again")
        for path in hidden_files(workspace.objects, *NAMELESS)
    ]
    shards = [shard for tombstone in tombstones for shard in tombstone["shards"]]
    found += [
        Trace(name, "in the cache of this computer") for name in cached([workspace.objects.url], recordings, shards)
    ]
    objects = workspace.objects
    on_step("looking through the recordings")
    found += _in_folders(objects, "recordings", lambda text: _names_recording(text, departed))
    on_step("looking through the shards")
    found += _in_folders(objects, "shards", lambda text: _names_shard(text, departed))
    on_step("looking through the versions")
    found += _in_versions(objects, departed)
    on_step("looking through the exports")
    unreached = [
        export["export"]
        for tombstone in tombstones
        for export in tombstone.get("exports", ())
        if export["outcome"] == OUTCOMES["unreachable"]
    ]
    found += [Trace(where, what) for where, what in remains_in_exports(workspace, departed, unreached)]
    for tombstone in tombstones:
        if not objects.exists(tombstone_key(tombstone["receipt"])):
            found.append(Trace(tombstone_key(tombstone["receipt"]), "the tombstone is missing; erase again"))
    return found


def _in_freed_space(workspace: Workspace, contributor: str) -> list[str]:
    """Where rows that were deleted can still be read; while the catalog names the contributor, that says nothing."""
    if contributor in workspace.catalog.contributors():
        return []
    return in_freed_space(workspace.catalog.engine, contributor.encode())


def _in_folders(objects: Objects, prefix: str, names: Callable[[dict[str, Any]], bool]) -> list[Trace]:
    """Folders below a prefix whose describing JSON, or what it was to be, names what is looked for, or is not there."""

    name = DESCRIBED_BY[prefix]

    def look(folder: str) -> Trace | None:
        key = f"{prefix}/{folder}/{name}"
        description = description_of(objects, key)
        if description is not None:
            return Trace(f"{prefix}/{folder}", "names them") if names(description) else None
        if objects.exists(key):
            return Trace(key, "cannot be read")
        if not objects.keys(f"{prefix}/{folder}"):
            return Trace(f"{prefix}/{folder}", "a folder without objects, named after them perhaps; erase again")
        return Trace(f"{prefix}/{folder}", f"has no {name}, so nobody can tell whose it is")

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return [trace for trace in threads.map(look, objects.folders(prefix)) if trace is not None]


def _names_recording(description: dict[str, Any], departed: Departed) -> bool:
    return description["contributor"] == departed.contributor or description["recording"] in departed.recordings


def _names_shard(group: dict[str, Any], departed: Departed) -> bool:
    attributes = group["attributes"]
    held = {trajectory["recording"] for trajectory in attributes["trajectories"]}
    return attributes["contributor"] == departed.contributor or bool(held & set(departed.recordings))


def _in_versions(objects: Objects, departed: Departed) -> Iterator[Trace]:
    for dataset in list_datasets(objects):
        for number in list_versions(objects, dataset):
            key = version_key(dataset, number, "json")
            try:
                version = read_manifest(objects, dataset, number)
                if not version.is_withdrawn:
                    episodes = read_episodes(objects, version)
                    named = departed.named(episodes)
                    if named:
                        yield Trace(f"{dataset}@{number}", f"{named} of its episodes are theirs")
                if _where_names(version, departed):
                    yield Trace(key, "names them")
            except KinesphereError as error:
                yield Trace(key, f"cannot be read: {error}")


def _where_names(version: Version, departed: Departed) -> bool:
    """Whether the expression that chose the episodes holds the contributor's id."""
    return f"'{departed.contributor}'" in (version.manifest.get("where") or "")
