"""What changed between two versions of a dataset: episodes added, removed and relabelled, hours by task and person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.objects.store import Objects
from kinesphere.versions.manifests import read_version
from kinesphere.versions.table_parts import parts_of, read_table

LABEL_COLUMNS = ("track", "label", "object", "outcome")
_COLUMNS = ("episode", "task", "contributor", "shard", "first_frame", "length", "start_ns", "end_ns", *LABEL_COLUMNS)
_NANOSECONDS_PER_HOUR = 3.6e12


@dataclass(frozen=True)
class Relabelled:
    """An episode of both versions whose labels differ."""

    episode: str
    before: Mapping[str, str | None]
    """Only the columns of `LABEL_COLUMNS` that differ."""
    after: Mapping[str, str | None]


@dataclass(frozen=True)
class HoursChange:
    """Hours of episodes in the two versions."""

    before: float
    after: float


@dataclass(frozen=True)
class VersionDifference:
    """From one version to another. Episodes are sorted by id, tasks and contributors by name."""

    dataset: str
    before: int
    after: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[Relabelled, ...]
    moved: tuple[str, ...]
    """Episodes of both versions that are other frames than before: cut differently, or extracted anew."""
    hours_by_task: Mapping[str, HoursChange]
    hours_by_contributor: Mapping[str, HoursChange]


def compare_versions(objects: Objects, dataset: str, before: int | None, after: int | None) -> VersionDifference:
    """Compare two versions of a dataset; None stands for the newest.

    Args:
        objects: where the datasets lie.
        dataset: name of the dataset.
        before: number of the earlier version.
        after: number of the later one.

    Returns:
        What differs.

    Raises:
        NotFound: there is no such dataset or version.
        CorruptObject: a manifest or a table is damaged.
    """
    versions = [read_version(objects, dataset, number) for number in (before, after)]
    old, new = (read_table(objects, parts_of(version.manifest), _COLUMNS) for version in versions)
    places = pc.index_in(new["episode"], value_set=old["episode"].combine_chunks()).combine_chunks()
    in_both = new.filter(pc.is_valid(places)), old.take(places.drop_null())
    is_gone = np.ones(old.num_rows, np.bool_)
    is_gone[places.drop_null().to_numpy()] = False
    return VersionDifference(
        dataset=dataset,
        before=versions[0].number,
        after=versions[1].number,
        added=_names(new.filter(pc.is_null(places))),
        removed=_names(old.filter(pa.array(is_gone))),
        relabelled=tuple(_relabelled(*in_both)),
        moved=_names(_differing(*in_both, ("shard", "first_frame", "length"))[0]),
        hours_by_task=_hours(old, new, "task"),
        hours_by_contributor=_hours(old, new, "contributor"),
    )


def _names(table: pa.Table) -> tuple[str, ...]:
    return tuple(sorted(table["episode"].to_pylist()))


def _differing(new: pa.Table, old: pa.Table, columns: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The rows in which a column of two tables of the same episodes differs, by id; missing equals missing."""
    differs = pa.array(np.zeros(new.num_rows, np.bool_))
    for column in columns:
        left, right = old[column], new[column]
        one_missing = pc.xor(pc.is_null(left), pc.is_null(right))
        differs = pc.or_(differs, pc.or_(one_missing, pc.fill_null(pc.not_equal(left, right), False)))
    new, old = new.filter(differs), old.filter(differs)
    order = pc.sort_indices(new["episode"])
    return new.take(order), old.take(order)


def _relabelled(new: pa.Table, old: pa.Table) -> Iterator[Relabelled]:
    after, before = (
        table.select(["episode", *LABEL_COLUMNS]).to_pylist() for table in _differing(new, old, LABEL_COLUMNS)
    )
    for now, then in zip(after, before, strict=True):
        columns = [column for column in LABEL_COLUMNS if now[column] != then[column]]
        yield Relabelled(
            now["episode"], {column: then[column] for column in columns}, {column: now[column] for column in columns}
        )


def _hours(old: pa.Table, new: pa.Table, column: str) -> dict[str, HoursChange]:
    before, after = (_hours_by(table, column) for table in (old, new))
    return {
        name: HoursChange(before.get(name, 0.0), after.get(name, 0.0)) for name in sorted(before.keys() | after.keys())
    }


def _hours_by(table: pa.Table, column: str) -> dict[str, float]:
    lasting = pa.table({"name": table[column], "ns": pc.subtract(table["end_ns"], table["start_ns"])})
    sums = lasting.group_by("name").aggregate([("ns", "sum")])
    return {row["name"]: row["ns_sum"] / _NANOSECONDS_PER_HOUR for row in sums.to_pylist()}
