"""Versions of a dataset: immutable, numbered lists of episodes, each a JSON manifest and a Parquet table."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .episodes import EPISODE_SCHEMA, checked_episodes
from .errors import CorruptObject, NewerFormat, NotFound
from .names import checked_name
from .objects import Objects
from .version import __version__

FORMAT_VERSION = 1
KIND = "kinesphere-version"

_MANIFEST = re.compile(r"(\d{6,})\.json")
_EITHER = re.compile(r"(\d{6,})\.(?:json|parquet)")


@dataclass(frozen=True)
class Version:
    """One version of a dataset."""

    dataset: str
    number: int
    manifest: Mapping[str, Any]
    """The content of the JSON: parent, created_at, created_by, software, where, counts, labels, episodes."""
    is_new: bool = False
    """Whether this call wrote it: the same episodes again are the version that is there already."""


def write_version(
    objects: Objects,
    dataset: str,
    episodes: pa.Table,
    *,
    where: str | None = None,
    created_by: str = "",
    video: str = "raw",
) -> Version:
    """Write the next version of a dataset, or return the newest if it holds the same episodes.

    Two publishers at once both succeed, with different numbers: a number is claimed by writing its table where
    there was none, and the version exists once its manifest does. A publisher that dies in between leaves a gap.

    Args:
        episodes: a table of `EPISODE_SCHEMA`.
        where: the expression that chose them, for the record.
        video: "raw", "blurred" or "none": which video goes with them; in the manifest unless raw.

    Raises:
        InvalidInput: the name or the table is not valid.
        NewerFormat: the newest version was written by a later release.
    """
    checked_name("dataset", dataset)
    table = checked_episodes(episodes)
    numbers = _numbers(objects, dataset, _MANIFEST)
    parent = numbers[-1] if numbers else None
    if parent is not None:
        newest = read_version(objects, dataset, parent)
        same_size = newest.manifest["counts"]["episodes"] == table.num_rows
        same_video = newest.manifest.get("video", "raw") == video
        if same_size and same_video and read_episodes(objects, newest).equals(table):
            return newest
    content = _parquet(table)
    claimed = _numbers(objects, dataset, _EITHER)
    number = claimed[-1] + 1 if claimed else 1
    while not objects.put_if_absent(_key(dataset, number, "parquet"), content):
        number += 1
    manifest = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "dataset": dataset,
        "number": number,
        "parent": parent,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "created_by": created_by,
        "software": {"kinesphere": __version__, "pyarrow": pa.__version__},
        "where": where,
        "counts": _counts(table),
        "labels": _labels(table),
        "episodes": {
            "key": _key(dataset, number, "parquet"),
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
        },
    }
    if video != "raw":
        manifest["video"] = video
    manifest["sha256"] = _hash_of(manifest)
    key = _key(dataset, number, "json")
    if not objects.put_if_absent(key, (json.dumps(manifest, indent=2) + "\n").encode()):
        raise CorruptObject(f"object '{key}' is there without its table; move it away and publish again")
    return Version(dataset, number, manifest, is_new=True)


def read_version(objects: Objects, dataset: str, number: int | None = None) -> Version:
    """Read the manifest of a version, by default of the newest.

    Raises:
        NotFound: there is no such dataset or version.
        NewerFormat: a later release wrote it.
        CorruptObject: it is not a manifest, or was edited by hand.
    """
    numbers = list_versions(objects, dataset)
    if number is None:
        number = numbers[-1]
    if number not in numbers:
        raise NotFound(f"version of {dataset}", str(number), [str(known) for known in numbers])
    key = _key(dataset, number, "json")
    try:
        manifest: dict[str, Any] = json.loads(objects.get(key))
        version = int(manifest["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"object '{key}' is not the manifest of a version; restore it from a copy") from error
    if version > FORMAT_VERSION:
        raise NewerFormat(f"{dataset}@{number}", version, FORMAT_VERSION)
    if manifest.get("kind") != KIND or manifest.get("sha256") != _hash_of(manifest):
        raise CorruptObject(f"object '{key}' was changed after it was published; restore it from a copy")
    return Version(dataset, number, manifest)


def read_episodes(objects: Objects, version: Version) -> pa.Table:
    """Read the episode table of a version.

    Raises:
        CorruptObject: the table is missing, or is not the one that was published.
    """
    listed = version.manifest["episodes"]
    content = objects.get(listed["key"])
    if hashlib.sha256(content).hexdigest() != listed["sha256"]:
        raise CorruptObject(f"object '{listed['key']}' was changed after it was published; restore it from a copy")
    # not read_table: its threads give many chunks, and joining those takes longer than they save
    return pq.ParquetFile(pa.BufferReader(content)).read().cast(EPISODE_SCHEMA).combine_chunks()


def list_versions(objects: Objects, dataset: str) -> list[int]:
    """The numbers of a dataset's versions, ascending.

    Raises:
        NotFound: there is no such dataset, which is to say none with a version.
    """
    numbers = _numbers(objects, dataset, _MANIFEST)
    if not numbers:
        raise NotFound("dataset", dataset, list_datasets(objects))
    return numbers


def list_datasets(objects: Objects) -> list[str]:
    """The names of all datasets that have a version, sorted."""
    return [name for name in objects.folders("datasets") if _numbers(objects, name, _MANIFEST)]


def _numbers(objects: Objects, dataset: str, pattern: re.Pattern[str]) -> list[int]:
    names = (key.rsplit("/", 1)[-1] for key in objects.keys(f"datasets/{dataset}/versions"))
    return sorted({int(match[1]) for name in names if (match := pattern.fullmatch(name))})


def _key(dataset: str, number: int, ending: str) -> str:
    return f"datasets/{dataset}/versions/{number:06d}.{ending}"


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _counts(table: pa.Table) -> dict[str, int | float]:
    nanoseconds = pc.sum(pc.subtract(table["end_ns"], table["start_ns"])).as_py() or 0
    return {
        "episodes": table.num_rows,
        "frames": pc.sum(table["length"]).as_py() or 0,
        "seconds": nanoseconds / 1e9,
        "contributors": pc.count_distinct(table["contributor"]).as_py(),
        "recordings": pc.count_distinct(table["recording"]).as_py(),
        "tasks": pc.count_distinct(table["task"]).as_py(),
        "shards": pc.count_distinct(table["shard"]).as_py(),
    }


def _labels(table: pa.Table) -> dict[str, int]:
    """Episodes by label; the empty name counts those without one."""
    counts = {count["values"] or "": count["counts"] for count in pc.value_counts(table["label"]).to_pylist()}
    return dict(sorted(counts.items()))


def _hash_of(manifest: Mapping[str, Any]) -> str:
    """Hash of a manifest without its own `sha256`, so that an edit by hand shows."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
