"""Writes versions: the episode table, then the manifest that makes it a version, each put only where there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.names import checked_name
from kinesphere.objects.store import Objects
from kinesphere.version import __version__
from kinesphere.versions.episode_table import checked_episodes
from kinesphere.versions.manifests import (
    FORMAT_VERSION,
    KIND,
    PARTS_FORMAT_VERSION,
    RULES,
    Version,
    hash_of,
    numbers_of,
    read_episodes,
    read_manifest,
    version_key,
    version_keys,
)
from storage.publishing.hill_numbers import manifest_summary
from storage.publishing.table_writer import describe_part, describe_table, encode_part, split_table


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
    tasks: Mapping[str, Any] | None = None,
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
            `storage.publishing.publish_rules`.
        erasure: for a version that follows from an erasure: its receipt, and the version that this one replaces.
        criteria: the criteria by which their recordings were accepted, for the record; see `docs/format.md`.
        agreement: how well annotators of its recordings agree, plain JSON, for the record. The same episodes with
            another one are another version.
        tasks: title and instructions of their tasks, by `<task>@<version>`.

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
        if is_same and _holds(objects, newest, table):
            objects.flush(version_keys(objects, dataset, newest.number))  # its publisher may have died before
            return newest
    first, *others = split_table(table)
    content = encode_part(first, is_only=not others)
    written = numbers_of(objects, dataset)
    number = written[-1] + 1 if written else 1
    while not objects.put_if_absent(version_key(dataset, number, "parquet"), content, is_last=False):
        if not others and _is_unfinished(objects, dataset, number, content):
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
    if tasks is not None:
        manifest["tasks"] = dict(tasks)
    if agreed is not None:
        manifest["agreement"] = agreed
    if video != "raw":
        manifest["video"] = video
    if erasure is not None:
        manifest["erasure"] = dict(erasure)
    manifest["sha256"] = hash_of(manifest)
    key = version_key(dataset, number, "json")
    described = (json.dumps(manifest, indent=2) + "\n").encode()
    if not objects.put_if_absent(key, described, after=[version_key(dataset, number, "parquet")]):
        found = read_manifest(objects, dataset, number)
        if not found.is_withdrawn and found.manifest["episodes"] == manifest["episodes"]:
            objects.flush(version_keys(objects, dataset, number))
            return found
        if not found.is_withdrawn:
            raise CorruptObject(f"object '{key}' is there without its table; move it away and publish again")
        # published by somebody else and taken back since we looked which numbers there are: what we wrote goes
        for written_key in version_keys(objects, dataset, number)[:-1]:
            objects.delete(written_key)
        return write_version(
            objects, dataset, episodes, where=where, created_by=created_by, video=video, erasure=erasure,
            criteria=criteria, rules=rules, agreement=agreement, tasks=tasks,
        )  # fmt: skip
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


def _newest(objects: Objects, dataset: str) -> Version | None:
    """The newest version that was not withdrawn."""
    for number in reversed(numbers_of(objects, dataset)):
        found = read_manifest(objects, dataset, number)
        if not found.is_withdrawn:
            return found
    return None


def _holds(objects: Objects, version: Version, table: pa.Table) -> bool:
    """Whether a version holds the very episodes of a table; one that an erasure takes at this moment does not."""
    try:
        return bool(read_episodes(objects, version).equals(table))
    except CorruptObject:
        if read_manifest(objects, version.dataset, version.number).is_withdrawn:
            return False
        raise


def _is_unfinished(objects: Objects, dataset: str, number: int, content: bytes) -> bool:
    """Whether a number is claimed with this very table but has no manifest."""
    key = version_key(dataset, number, "parquet")
    try:
        is_same = objects.size(key) == len(content) and objects.get(key) == content
    except CorruptObject:
        return False  # an erasure has deleted it since
    return is_same and not objects.exists(version_key(dataset, number, "json"))


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
