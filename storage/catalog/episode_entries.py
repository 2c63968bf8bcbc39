"""Segments and the episodes that publishing makes of them, in the catalog."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.catalog.labels.label_records import VersionedSegment
from storage.catalog.publishable import authoritative, episode_table
from storage.catalog.tables import SegmentTable
from storage.catalog.transactions import Transactions, record_of
from storage.recordings.segment import Segment

if TYPE_CHECKING:
    import pyarrow as pa


class EpisodeEntries(Transactions):
    """What the catalog does with segments that count and episodes that can be published."""

    def add_segment(self, recording: str, segment: Segment, *, author: str) -> VersionedSegment:
        """Enter a segment that code has made, which belongs to nobody's annotation.

        Args:
            recording: id of the recording that it is of.
            segment: its range and label.
            author: who made it.

        Returns:
            The segment with its new id.
        """
        entered = VersionedSegment(secrets.token_hex(8), 0, segment)
        row = SegmentTable(
            segment=entered.segment,
            version=entered.version,
            recording=recording,
            author=author,
            created_at=datetime.now(UTC),
            **vars(segment),
        )
        with self.writing() as session:
            session.add(row)
        return entered

    def segments(self, recording: str) -> list[Segment]:
        """The segments of a recording that count: those that `publishable` has, too.

        Args:
            recording: its id.

        Returns:
            In order of time.
        """
        query = select(SegmentTable).where(SegmentTable.recording == recording, authoritative())
        with self.reading() as session:
            rows = session.scalars(query.order_by(SegmentTable.start_ns, SegmentTable.segment))
            return [record_of(Segment, row) for row in rows]

    def publishable(
        self, is_chosen: Callable[[str, str], bool] = lambda extractor, shard: True, *, with_segments: bool = True
    ) -> pa.Table:
        """The episodes of every accepted recording.

        A recording with segments gives one episode a segment, in order of time; one without enters whole.

        Args:
            is_chosen: says of an extractor, with one of its shards, whether its trajectories are chosen; of those the
                newest of each recording is taken.
            with_segments: if not, every recording enters whole.

        Returns:
            A row an episode, by `EPISODE_SCHEMA`, oldest recording first.
        """
        return episode_table(self.engine, is_chosen, with_segments=with_segments)
