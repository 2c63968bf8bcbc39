"""The format `kinesphere`: a copy of one version and its shards, which `open_dataset` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa

from kinesphere.objects.begun_notes import is_begun_note
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import Shard, shard_key
from kinesphere.versions.manifests import list_versions, read_episodes, read_manifest, version_keys
from kinesphere.video.video_keys import blurred_key, video_key
from storage.erasure.withdrawn_versions import delete_content, withdraw_version
from storage.exports.export_content import Content, OnProgress
from storage.exports.export_target import copy_object, remove_hidden
from storage.exports.parquet_files import read_owners

_FOLDERS = ("shards", "recordings")


class KinesphereExporter:
    """Objects under the keys that they have in the workspace; see `docs/format.md`."""

    def check(self, content: Content) -> None:
        """Every version can be copied."""

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        """Copy shards, videos if the version shows them, the version last; what is there already stays."""
        there = set(target.keys(""))
        keys = list(_keys(content))
        for number, key in enumerate(keys):
            on_progress(number, len(keys))
            if key not in there or target.size(key) != content.objects.size(key):
                copy_object(content.objects, key, target)
        on_progress(len(keys), len(keys))

    def erase(self, target: Objects, content: Content | None, *, version: int, dataset: str, receipt: str) -> bool:
        """Put the version without those who left beside the old one, then a tombstone in place of that."""
        heir = None if content is None else content.version.number
        current: set[str] = set()
        if content is not None:
            self.write(content, target, lambda done, total: None)
            current = set(_keys(content))
        for number in _versions_of(target, dataset):
            present = read_manifest(target, dataset, number)
            if present.is_withdrawn:
                delete_content(target, present)  # of one that was withdrawn when an earlier attempt was interrupted
            elif number != heir:
                withdraw_version(target, present, replaced_by=heir, receipt=receipt)
        whole = _versions_of(target, dataset)
        for key in target.keys(f"datasets/{dataset}/versions"):
            if int(PurePosixPath(key).name.split(".")[0]) not in whole:
                target.delete(key)  # of a copy that was cut off before its manifest
        stale = [key for prefix in _FOLDERS for key in target.keys(prefix) if key not in current]
        folders = {"/".join(key.split("/")[:2]) for key in stale}
        # Those too of which nothing can be seen: a copy was cut off at its first file.
        folders |= {f"{prefix}/{name}" for prefix in _FOLDERS for name in target.folders(prefix)} - {
            "/".join(key.split("/")[:2]) for key in current
        }
        remove_hidden(target)
        for folder in sorted(folders):
            target.delete(f"{folder}/zarr.json")
            target.delete_below(folder)
        return content is not None

    def contributors(self, target: Objects) -> pa.Table:
        """What tables of episodes name, and what shards and videos are there, whether or not a version names them."""
        tables = read_owners(target, [key for key in target.keys("datasets") if key.endswith(".parquet")])
        found = {(row["recording"], row["contributor"]) for row in tables.to_pylist()}
        for name in target.folders("shards"):
            attributes = Shard(target, name.removesuffix(".zarr")).attributes
            found |= {(place["recording"], attributes["contributor"]) for place in attributes["trajectories"]}
        found |= {(name, "") for name in target.folders("recordings")}
        columns = {"recording": [pair[0] for pair in sorted(found)], "contributor": [pair[1] for pair in sorted(found)]}
        return pa.table(columns, pa.schema([("recording", pa.string()), ("contributor", pa.string())]))


def _keys(content: Content) -> Iterator[str]:
    """The objects of a version, those last that make others visible."""
    objects, version = content.objects, content.version
    episodes = read_episodes(objects, version)
    for shard in sorted(episodes["shard"].unique().to_pylist()):
        group = f"{shard_key(shard)}/zarr.json"
        yield from (key for key in objects.keys(shard_key(shard)) if key != group and not is_begun_note(key))
        yield group
    key_of = {"raw": video_key, "blurred": blurred_key}.get(version.manifest.get("video", "raw"))
    if key_of is not None:
        yield from map(key_of, sorted(episodes["recording"].unique().to_pylist()))
    yield from version_keys(objects, version.dataset, version.number)


def _versions_of(target: Objects, dataset: str) -> list[int]:
    try:
        return list_versions(target, dataset)
    except LookupError:
        return []
