"""What the catalog has to publish: which segments count, and the episode table, made column by column.

A million rows as objects would take a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, or_, select

from storage.catalog.connection import database_errors
from storage.catalog.tables import AnnotationTable, RecordingTable, SegmentTable, TrajectoryTable
from storage.recordings.recording import State

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_A_TIME = 50_000
"""Rows that are Python objects at a time."""
_SEGMENT_NUMBERS = ("start_frame", "end_frame", "start_ns", "end_ns")
_SEGMENT_COLUMNS = ("recording", "segment", *_SEGMENT_NUMBERS, "track", "label", "object", "outcome")


def authoritative() -> ColumnElement[bool]:
    """Whether a segment counts: it was made in code, or belongs to the annotation that decides for its recording.

    That is the adjudication, if it is done; else the annotation that was done first. One that is open, or skipped,
    never does.
    """
    table = AnnotationTable
    first = (case((table.purpose == "adjudicate", 0), else_=1), table.done_at, table.annotation)
    place = func.row_number().over(partition_by=table.recording, order_by=first).label("place")
    ranked = select(table.annotation, place).where(table.state == "done").subquery()
    deciding = select(ranked.c.annotation).where(ranked.c.place == 1)
    return or_(SegmentTable.annotation.is_(None), SegmentTable.annotation.in_(deciding))


def episode_table(engine: Engine, is_chosen: Callable[[str, str], bool], *, with_segments: bool) -> pa.Table:
    """The episodes of accepted recordings, oldest recording first; see `Catalog.publishable`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    with database_errors(engine.url.render_as_string(hide_password=True)), engine.connect() as connection:
        recordings = _newest(_recordings(connection), is_chosen)
        segments = _segments(connection, none=not with_segments)
    place = pc.index_in(segments["recording"], value_set=recordings["recording"].combine_chunks())
    segments = segments.append_column("place", place).filter(pc.is_valid(place))
    segments = segments.sort_by([(name, "ascending") for name in ("place", "start_ns", "segment")])
    place = segments["place"].to_numpy()
    unlabelled = np.flatnonzero(np.bincount(place, minlength=len(recordings)) == 0)
    table = pa.concat_tables(
        [_cut(recordings.take(pa.array(place)), segments), _whole(recordings.take(pa.array(unlabelled)))]
    )
    order = np.argsort(np.concatenate([place, unlabelled]), kind="stable")
    return table.take(pa.array(order)).combine_chunks()


def _recordings(connection: Connection) -> pa.Table:
    """Accepted recordings with each of their trajectories, oldest first, as episodes that are not cut."""
    import pyarrow as pa

    from kinesphere.versions.episode_table import EPISODE_SCHEMA

    table, found = RecordingTable, TrajectoryTable
    columns = {
        **{name: getattr(table, name) for name in ("recording", "contributor", "task", "task_version", "frame_rate")},
        **{name: getattr(found, name) for name in ("shard", "first_frame", "length", "scale", "extractor")},
        **{name: getattr(found, name) for name in ("body_share", "left_hand_share", "right_hand_share")},
        "end_ns": table.duration_ns,
        "image_width": table.width,
        "image_height": table.height,
    }
    query = (
        select(*columns.values())
        .join(found, found.recording == table.recording)
        .where(table.state == State.ACCEPTED)
        .order_by(table.created_at, table.recording, found.created_at)
    )
    return _fetched(connection, query, pa.schema([EPISODE_SCHEMA.field(name) for name in columns]))


def _newest(recordings: pa.Table, is_chosen: Callable[[str, str], bool]) -> pa.Table:
    """Of the trajectories of each recording, which follow each other, the last that is chosen."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    extractors = recordings.group_by("extractor").aggregate([("shard", "min")]).to_pylist()
    chosen = [row["extractor"] for row in extractors if is_chosen(row["extractor"], row["shard_min"])]
    recordings = recordings.filter(pc.is_in(recordings["extractor"], pa.array(chosen, pa.string()))).combine_chunks()
    names = recordings["recording"]
    is_last = np.ones(len(names), np.bool_)
    is_last[:-1] = pc.not_equal(names.slice(0, max(0, len(names) - 1)), names.slice(1)).to_numpy()
    return recordings.filter(pa.array(is_last)).combine_chunks()


def _segments(connection: Connection, *, none: bool) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema([(name, pa.int64() if name in _SEGMENT_NUMBERS else pa.string()) for name in _SEGMENT_COLUMNS])
    if none:
        return schema.empty_table()
    query = select(*(getattr(SegmentTable, name) for name in _SEGMENT_COLUMNS)).where(authoritative())
    return _fetched(connection, query, schema)


def _fetched(connection: Connection, query: Select[Any], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    batches = [
        pa.RecordBatch.from_arrays(
            [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)],
            schema=schema,
        )
        for rows in connection.execution_options(yield_per=_ROWS_AT_A_TIME).execute(query).partitions()
    ]
    return pa.Table.from_batches(batches, schema)


def _whole(recordings: pa.Table) -> pa.Table:
    """Recordings that enter as they are, without a label."""
    import numpy as np
    import pyarrow as pa

    from kinesphere.versions.episode_table import EPISODE_SCHEMA

    nothing = pa.nulls(len(recordings), pa.string())
    columns = {name: recordings[name] for name in recordings.column_names}
    columns |= dict.fromkeys(("track", "label", "object", "outcome"), nothing)
    columns |= {"episode": recordings["recording"], "start_ns": pa.array(np.zeros(len(recordings), np.int64))}
    return pa.table([columns[name] for name in EPISODE_SCHEMA.names], schema=EPISODE_SCHEMA)


def _cut(recordings: pa.Table, segments: pa.Table) -> pa.Table:
    """Segments as episodes, each with the recording in the same row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from kinesphere.versions.episode_table import EPISODE_SCHEMA

    columns = {name: recordings[name] for name in recordings.column_names}
    columns |= {name: segments[name] for name in ("start_ns", "end_ns", "track", "label", "object", "outcome")}
    columns |= {
        "episode": pc.binary_join_element_wise(recordings["recording"], segments["segment"], "/"),
        "first_frame": pc.add(recordings["first_frame"], segments["start_frame"]),
        "length": pc.subtract(segments["end_frame"], segments["start_frame"]),
    }
    return pa.table([columns[name] for name in EPISODE_SCHEMA.names], schema=EPISODE_SCHEMA)
