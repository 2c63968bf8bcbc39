"""The catalog's part of an erasure: it is entered before anything is deleted, and ends in one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import String, Text, delete, func, select, update
from sqlalchemy.orm import Session

from kinesphere.errors import NotFound
from storage.catalog.catalog import Catalog
from storage.catalog.people.accounts import forget_contributor
from storage.catalog.records import DataToErase, ErasureRecord
from storage.catalog.state_machine import locked, move, new_event
from storage.catalog.tables import (
    NOBODY,
    AnnotationTable,
    AttributeTable,
    CheckTable,
    ContributorTable,
    ErasureTable,
    EventTable,
    ExportTable,
    GoldTable,
    LabelOperationTable,
    LabelPriorityTable,
    RecordingTable,
    ReviewLeaseTable,
    ReviewRequestTable,
    ReviewTable,
    SegmentTable,
    Table,
    TrajectoryTable,
)
from storage.recordings.recording import State

_AT_ONCE = 500
"""Databases limit how many values a statement may have."""
_GONE = (State.WITHDRAWN, State.ERASED)


@dataclass(frozen=True)
class Erasures:
    """The erasures of a catalog. Every method is one transaction."""

    catalog: Catalog

    def begin(self, contributor: str | None, *, who: str) -> ErasureRecord | None:
        """Withdraw a contributor's recordings and enter that they are to be erased, or go on with what was begun.

        From then on nothing that is published holds them.

        Args:
            contributor: None erases the recordings that were withdrawn so far.
            who: who asks for the erasure, for its record and the events.

        Returns:
            None if there is nothing to erase.
        """
        with self.catalog.writing() as session:
            # SQLAlchemy makes "is null" of None
            unfinished = select(ErasureTable).where(
                ErasureTable.contributor == contributor, ErasureTable.done_at.is_(None)
            )
            found = session.scalars(unfinished).first()
            if found is None and not _is_anything_there(session, contributor):
                return None
            if contributor is not None:
                for recording in _withdrawable(session, contributor):
                    if locked(session, recording).state not in _GONE:  # not withdrawn at this very moment
                        move(session, recording, State.WITHDRAWN, who=who, why="to be erased")
            if found is None:
                receipt = secrets.token_hex(8)
                found = ErasureTable(receipt=receipt, contributor=contributor, who=who, begun_at=datetime.now(UTC))
                session.add(found)
            return _record(found)

    def data_to_erase(self, erasure: ErasureRecord) -> DataToErase:
        """What an erasure that was begun takes away, as far as the catalog knows.

        Args:
            erasure: one that was begun.

        Returns:
            Its recordings and shards, sorted, and how much they are.
        """
        of_erasure = (
            RecordingTable.contributor == erasure.contributor
            if erasure.contributor is not None
            else RecordingTable.state == State.WITHDRAWN
        )
        chosen = select(RecordingTable.recording).where(of_erasure, RecordingTable.state != State.ERASED)
        shards = select(TrajectoryTable.shard).where(TrajectoryTable.recording.in_(chosen)).distinct()
        totals = select(func.sum(RecordingTable.frames), func.sum(RecordingTable.duration_ns))
        with self.catalog.reading() as session:
            frames, duration_ns = session.execute(totals.where(of_erasure)).one()
            return DataToErase(
                recordings=tuple(sorted(session.scalars(chosen))),
                shards=tuple(sorted(session.scalars(shards))),
                frames=int(frames or 0),
                duration_ns=int(duration_ns or 0),
            )

    def shared_shards(self, data: DataToErase) -> dict[str, str]:
        """Shards that also hold a recording which stays: the shard, and one such recording.

        Args:
            data: what is to go.

        Returns:
            One staying recording by shard; empty where each shard is of one person, as it should be.
        """
        leaving = set(data.recordings)
        shared: dict[str, str] = {}
        with self.catalog.reading() as session:
            for some in _parts(data.shards):
                found = select(TrajectoryTable.shard, TrajectoryTable.recording).where(TrajectoryTable.shard.in_(some))
                shared |= {shard: recording for shard, recording in session.execute(found) if recording not in leaving}
        return shared

    def known(self) -> tuple[set[str], set[str]]:
        """All recordings that are not erased, and all shards, that the catalog knows.

        Returns:
            Ids of recordings, and ids of shards.
        """
        with self.catalog.reading() as session:
            recordings = session.scalars(select(RecordingTable.recording).where(RecordingTable.state != State.ERASED))
            return set(recordings), set(session.scalars(select(TrajectoryTable.shard)))

    def erased_recordings(self) -> set[str]:
        """All recordings that were erased.

        Returns:
            Their ids, which lead nowhere any more.
        """
        with self.catalog.reading() as session:
            return set(session.scalars(select(RecordingTable.recording).where(RecordingTable.state == State.ERASED)))

    def finish(self, erasure: ErasureRecord, data: DataToErase, tombstone: Mapping[str, Any]) -> bool:
        """Forget the recordings, and the contributor, and keep the tombstone.

        Args:
            erasure: one that was begun.
            data: what has gone from the object store.
            tombstone: what is kept of it, plain JSON.

        Returns:
            False, and nothing is changed, if meanwhile the contributor has added a recording: begin again.

        Raises:
            NotFound: there is no such erasure.
        """
        with self.catalog.writing() as session:
            if erasure.contributor is not None:
                of_contributor = select(RecordingTable.recording).where(
                    RecordingTable.contributor == erasure.contributor
                )
                if not set(session.scalars(of_contributor)) <= set(data.recordings):
                    return False
            if session.get(ContributorTable, NOBODY) is None:
                session.add(ContributorTable(contributor=NOBODY, created_at=datetime.now(UTC)))
                session.flush()
            for recordings in _parts(data.recordings):
                _forget(session, recordings, erasure)
            if erasure.contributor is not None:
                _forget_person(session, erasure.contributor)
            row = session.get(ErasureTable, erasure.receipt)
            if row is None:
                raise NotFound("erasure", erasure.receipt)
            row.contributor, row.done_at, row.tombstone = None, datetime.now(UTC), dict(tombstone)
            return True

    def erased(self, contributor: str) -> list[ErasureRecord]:
        """The erasures of a contributor that are done, oldest first; see `fingerprint`.

        Args:
            contributor: the pseudonymous id that they had.

        Returns:
            Records without the id itself, which is kept nowhere.
        """
        return [
            record
            for record in self.done()
            if record.tombstone and record.tombstone["contributor_sha256"] == fingerprint(record.receipt, contributor)
        ]

    def done(self) -> list[ErasureRecord]:
        """All erasures that are done, oldest first.

        Returns:
            Records with their tombstones.
        """
        query = select(ErasureTable).where(ErasureTable.done_at.is_not(None)).order_by(ErasureTable.begun_at)
        with self.catalog.reading() as session:
            return [_record(row) for row in session.scalars(query)]

    def receipts(self, recordings: Iterable[str]) -> list[str]:
        """The receipts of the erasures that took any of these recordings, oldest first.

        Args:
            recordings: ids of recordings.

        Returns:
            Each once.
        """
        unknown, found = set(recordings), list[str]()
        done = select(ErasureTable).where(ErasureTable.done_at.is_not(None)).order_by(ErasureTable.begun_at.desc())
        with (
            self.catalog.reading() as session,
            closing(session.scalars(done.execution_options(yield_per=50))) as rows,  # mostly it is among the last
        ):
            for row in rows:
                if not unknown:
                    break
                taken = unknown & set((row.tombstone or {})["recordings"])
                unknown -= taken
                found += [row.receipt] if taken else []
        return found[::-1]

    def mentions(self, contributor: str) -> list[str]:
        """Where the catalog names a contributor, as `table.column (rows)`.

        Args:
            contributor: the pseudonymous id.

        Returns:
            Empty if nothing names them.
        """
        found = []
        with self.catalog.reading() as session:
            for table in Table.metadata.sorted_tables:
                for column in table.columns:
                    if not isinstance(column.type, String | Text):
                        continue
                    rows = session.scalar(select(func.count()).select_from(table).where(column == contributor))
                    if rows:
                        found.append(f"{table.name}.{column.name} ({rows})")
        return found

    def remains_of(self, recordings: Sequence[str]) -> list[str]:
        """What the catalog still holds of recordings that were erased, as `table (rows)`.

        Of an erased recording there is its own row and the event of its erasure; all else is left over.

        Args:
            recordings: ids of recordings that were erased.

        Returns:
            Empty if nothing is there.
        """
        found = []
        with self.catalog.reading() as session:
            for table in Table.metadata.sorted_tables:
                if table.name in (RecordingTable.__tablename__, EventTable.__tablename__) or "recording" not in table.c:
                    continue
                counting = select(func.count()).select_from(table)
                rows = sum(
                    session.scalar(counting.where(table.c.recording.in_(some))) or 0 for some in _parts(recordings)
                )
                if rows:
                    found.append(f"{table.name} ({rows} of their recordings)")
        return found


def fingerprint(receipt: str, contributor: str) -> str:
    """What a tombstone keeps of a contributor's id: whoever knows the id can find it, others cannot read it there."""
    return hashlib.sha256(f"{receipt}:{contributor}".encode()).hexdigest()


def _forget(session: Session, recordings: Sequence[str], erasure: ErasureRecord) -> None:
    of_reviews = (ReviewTable, ReviewRequestTable, ReviewLeaseTable, GoldTable)
    annotations = select(AnnotationTable.annotation).where(AnnotationTable.recording.in_(recordings))
    session.execute(delete(LabelOperationTable).where(LabelOperationTable.annotation.in_(annotations)))
    of_labelling = (SegmentTable, AnnotationTable, LabelPriorityTable)
    for table in (CheckTable, TrajectoryTable, *of_labelling, EventTable, *of_reviews):
        session.execute(delete(table).where(table.recording.in_(recordings)))
    session.execute(
        update(RecordingTable)
        .where(RecordingTable.recording.in_(recordings))
        .values(
            contributor=NOBODY,
            state=State.ERASED,
            duration_ns=0,
            frames=0,
            width=0,
            height=0,
            frame_rate=0.0,
            video_sha256="",
            source_sha256="",
            replaces=None,
            sent_to=None,
            scopes=(),
            consent_expires_at=None,
        )
    )
    why = f"erased, receipt {erasure.receipt}"
    for recording in recordings:
        session.add(new_event(recording, erasure.who, State.WITHDRAWN, State.ERASED, why))


def _forget_person(session: Session, contributor: str) -> None:
    """Delete the contributor, and put nobody in their place wherever they have acted."""
    session.execute(delete(AttributeTable).where(AttributeTable.contributor == contributor))
    forget_contributor(session, contributor)
    session.execute(delete(ContributorTable).where(ContributorTable.contributor == contributor))
    session.execute(delete(ReviewLeaseTable).where(ReviewLeaseTable.reviewer == contributor))
    acted = (EventTable.who, ReviewTable.reviewer, GoldTable.marked_by, SegmentTable.author, ErasureTable.who)
    for column in (*acted, ExportTable.made_by, AnnotationTable.annotator, LabelOperationTable.who):
        session.execute(update(column.class_).where(column == contributor).values({column.key: NOBODY}))


def _withdrawable(session: Session, contributor: str) -> list[str]:
    query = select(RecordingTable.recording).where(
        RecordingTable.contributor == contributor, RecordingTable.state.not_in(_GONE)
    )
    return list(session.scalars(query))


def _is_anything_there(session: Session, contributor: str | None) -> bool:
    if contributor is not None:
        return session.get(ContributorTable, contributor) is not None
    return session.scalars(select(RecordingTable).where(RecordingTable.state == State.WITHDRAWN)).first() is not None


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), _AT_ONCE):
        yield values[first : first + _AT_ONCE]


def _record(row: ErasureTable) -> ErasureRecord:
    return ErasureRecord(row.receipt, row.contributor, row.who, row.begun_at, row.done_at, row.tombstone)
