"""Versions of a dataset: immutable, numbered lists of episodes, each a JSON manifest and a Parquet table."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .episode_parts import describe_part, describe_table, encode_part, parts_of, read_table, split_table
from .episodes import EPISODE_SCHEMA, checked_episodes
from .errors import CorruptObject, InvalidInput, NewerFormat, NotFound, Withdrawn
from .hill_numbers import manifest_summary
from .names import checked_name
from .objects import Objects
from .version import __version__

FORMAT_VERSION = 1
PARTS_FORMAT_VERSION = 2
"""Of a version whose episode table lies in several parts, so that an earlier release refuses it by name."""
KIND = "kinesphere-version"
WITHDRAWN_KIND = "kinesphere-version-withdrawn"
"""Kind of what lies in place of the manifest of a version that was withdrawn; see `storage.withdrawn_versions`."""
RULES = ("needs", "limits", "splits")
"""What a publisher asks of a version, as manifests name it."""

_MANIFEST = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True)
class Version:
    """One version of a dataset."""

    dataset: str
    number: int
    manifest: Mapping[str, Any]
    """The content of the JSON: parent, created_at, created_by, software, where, criteria, counts, labels,
    episodes and so on; see `docs/format.md`."""
    is_new: bool = False
    """Whether this call wrote it: the same episodes again are the version that is there already."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether nothing of it is left but a tombstone."""
        return bool(self.manifest["kind"] == WITHDRAWN_KIND)


def write_version(
    objects: Objects,
    dataset: str,
    episodes: pa.Table,
    *,
    where: str | None = None,
    created_by: str = "",
    video: str = "raw",
    erasure: Mapping[str, Any] | None = None,
    criteria: Mapping[str, Any] | None = None,
    rules: Mapping[str, Any] | None = None,
    agreement: Mapping[str, Any] | None = None,
) -> Version:
    """Write the next version of a dataset, or return the newest if it holds the same episodes.

    Two publishers at once both succeed, with different numbers: a number is claimed by writing its table where
    there was none, and the version exists once its manifest does. A publisher that dies in between leaves a gap,
    which whoever publishes the same episodes next fills, if the table lies in one piece.
    A table of more than `PART_ROWS` episodes lies in several parts, of which the first claims the number; it is read
    faster with `where` if it is sorted by the columns of the condition.

    Args:
        episodes: a table of `EPISODE_SCHEMA`.
        where: the expression that chose them, for the record.
        video: "raw", "blurred" or "none": which video goes with them; in the manifest unless raw.
        rules: what its publisher asked of it, for the manifest: `needs`, `limits`, `splits`; see
            `storage.publish_rules`.
        erasure: for a version that follows from an erasure: its receipt, and the version that this one replaces.
        criteria: the criteria by which their recordings were accepted, for the record; see `docs/format.md`.
        agreement: how well annotators of its recordings agree, plain JSON, for the record. The same episodes with
            another one are another version.

    Raises:
        InvalidInput: the name or the table is not valid, or the agreement is no JSON.
        NewerFormat: the newest version was written by a later release.
    """
    checked_name("dataset", dataset)
    table = checked_episodes(episodes)
    agreed = _plain("agreement", agreement)
    newest = _newest(objects, dataset)
    parent = None if newest is None else newest.number
    if newest is not None and erasure is None:
        same_size = newest.manifest["counts"]["episodes"] == table.num_rows
        same_video = newest.manifest.get("video", "raw") == video
        same_rules = all(newest.manifest.get(name) == (rules or {}).get(name) for name in RULES)
        same_agreement = agreed is None or newest.manifest.get("agreement") == agreed
        is_same = same_size and same_video and same_rules and same_agreement
        if is_same and read_episodes(objects, newest).equals(table):
            return newest
    first, *others = split_table(table)
    content = encode_part(first, is_only=not others)
    written = _numbers(objects, dataset, _MANIFEST)
    number = written[-1] + 1 if written else 1
    while not objects.put_if_absent(version_key(dataset, number, "parquet"), content):
        if not others and _is_left(objects, dataset, number, content):
            break
        number += 1
    manifest = {
        "format_version": PARTS_FORMAT_VERSION if others else FORMAT_VERSION,
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
        "diversity": manifest_summary(table, (rules or {}).get("splits")),
        **(rules or {}),
        "episodes": _written(objects, dataset, number, first, content, others),
    }
    if criteria is not None:
        manifest["criteria"] = dict(criteria)
    if agreed is not None:
        manifest["agreement"] = agreed
    if video != "raw":
        manifest["video"] = video
    if erasure is not None:
        manifest["erasure"] = dict(erasure)
    manifest["sha256"] = hash_of(manifest)
    key = version_key(dataset, number, "json")
    if not objects.put_if_absent(key, (json.dumps(manifest, indent=2) + "\n").encode()):
        found = read_manifest(objects, dataset, number)
        if not found.is_withdrawn and found.manifest["episodes"] == manifest["episodes"]:
            return found
        raise CorruptObject(f"object '{key}' is there without its table; move it away and publish again")
    return Version(dataset, number, manifest, is_new=True)


def _plain(name: str, content: Mapping[str, Any] | None) -> Any:
    """Content of a manifest as it will be read again, so that it can be compared with what was."""
    try:
        return None if content is None else json.loads(json.dumps(dict(content), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the {name} for a manifest is no plain JSON: {error}; undefined is None") from error


def _written(
    objects: Objects, dataset: str, number: int, first: pa.Table, content: bytes, others: Sequence[pa.Table]
) -> dict[str, Any]:
    """Write the parts of a table after its first, which is there; gives what the manifest says of all."""
    described = describe_part(version_key(dataset, number, "parquet"), first, content)
    if not others:
        return {name: described[name] for name in ("key", "sha256", "size_bytes")}
    parts = [described]
    for place, part in enumerate(others, 1):
        key, content = version_key(dataset, number, f"{place:04d}.parquet"), encode_part(part, is_only=False)
        objects.put(key, content)
        parts.append(describe_part(key, part, content))
    return describe_table(parts)


def read_version(objects: Objects, dataset: str, number: int | None = None) -> Version:
    """Read the manifest of a version, by default of the newest.

    Raises:
        NotFound: there is no such dataset or version.
        Withdrawn: people in it took their recordings back; the error names the version that replaces it.
        NewerFormat: a later release wrote it.
        CorruptObject: it is not a manifest, or was edited by hand.
    """
    numbers = list_versions(objects, dataset)
    if number is None:
        number = numbers[-1]
    if number not in numbers:
        raise NotFound(f"version of {dataset}", str(number), [str(known) for known in numbers])
    found = read_manifest(objects, dataset, number)
    refuse_withdrawn(objects, found)
    return found


def refuse_withdrawn(objects: Objects, version: Version) -> None:
    """Make sure that a version was not withdrawn.

    Raises:
        Withdrawn: it was; the error names the version that replaces it.
    """
    heir = version
    while heir.is_withdrawn and heir.manifest["replaced_by"] is not None:
        heir = read_manifest(objects, version.dataset, int(heir.manifest["replaced_by"]))
    if version.is_withdrawn:
        advice = f"use version {heir.number}, without them"
        if heir.is_withdrawn:
            advice = "nothing of it is left; publish again"
        name = f"{version.dataset}@{version.number}"
        raise Withdrawn(f"{name} was withdrawn, because people in it took their recordings back; {advice}")


def read_manifest(objects: Objects, dataset: str, number: int) -> Version:
    """Read the manifest of a version that is there, or the tombstone that lies in its place.

    Raises:
        NewerFormat: a later release wrote it.
        CorruptObject: it is missing, is neither, or was edited by hand.
    """
    key = version_key(dataset, number, "json")
    try:
        manifest: dict[str, Any] = json.loads(objects.get(key))
        version = int(manifest["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"object '{key}' is not the manifest of a version; restore it from a copy") from error
    if version > PARTS_FORMAT_VERSION:
        raise NewerFormat(f"{dataset}@{number}", version, PARTS_FORMAT_VERSION)
    if manifest.get("kind") not in (KIND, WITHDRAWN_KIND) or manifest.get("sha256") != hash_of(manifest):
        raise CorruptObject(f"object '{key}' was changed after it was published; restore it from a copy")
    return Version(dataset, number, manifest)


def read_episodes(objects: Objects, version: Version) -> pa.Table:
    """Read the episode table of a version.

    Raises:
        CorruptObject: the table or a part of it is missing, or is not the one that was published.
    """
    return read_table(objects, parts_of(version.manifest), EPISODE_SCHEMA.names)


def version_keys(objects: Objects, dataset: str, number: int) -> list[str]:
    """The keys of all objects of a version: its table or the parts of it, what lies beside, and last its manifest.

    So too of one whose publisher died, which has no manifest.
    """
    manifest = version_key(dataset, number, "json")
    stem = manifest.removesuffix("json")
    keys = [key for key in objects.keys(f"datasets/{dataset}/versions") if key.startswith(stem)]
    return sorted(keys, key=lambda key: (key == manifest, key))


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


def _newest(objects: Objects, dataset: str) -> Version | None:
    """The newest version that was not withdrawn."""
    for number in reversed(_numbers(objects, dataset, _MANIFEST)):
        found = read_manifest(objects, dataset, number)
        if not found.is_withdrawn:
            return found
    return None


def _is_left(objects: Objects, dataset: str, number: int, content: bytes) -> bool:
    """Whether a number is claimed with this very table but has no manifest."""
    key = version_key(dataset, number, "parquet")
    is_same = objects.size(key) == len(content) and objects.get(key) == content
    return is_same and not objects.exists(version_key(dataset, number, "json"))


def _numbers(objects: Objects, dataset: str, pattern: re.Pattern[str]) -> list[int]:
    names = (key.rsplit("/", 1)[-1] for key in objects.keys(f"datasets/{dataset}/versions"))
    return sorted({int(match[1]) for name in names if (match := pattern.fullmatch(name))})


def version_key(dataset: str, number: int, ending: str) -> str:
    """Key of an object of a version: "json" is the manifest, "parquet" the episode table or the first part of it."""
    return f"datasets/{dataset}/versions/{number:06d}.{ending}"


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


def hash_of(manifest: Mapping[str, Any]) -> str:
    """Hash of a manifest without its own `sha256`, so that an edit by hand shows."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
