"""How much there is and how much waits, as few numbers that a monitoring system may ask for again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import exists, func, select

from storage.catalog.catalog import Catalog
from storage.catalog.tables import (
    ErasureTable,
    EventTable,
    RecordingTable,
    ReviewRequestTable,
    TaskTable,
    TrajectoryTable,
)
from storage.recordings.recording import State


@dataclass(frozen=True)
class Workload:
    """The numbers of one moment."""

    recordings: Mapping[State, int]
    """In each state, also those of no recording."""
    waiting: int
    """Recordings that wait to be processed here."""
    waiting_since: datetime | None
    """Since when the first of them waits."""
    retried: int
    """Tries of these that failed."""
    unprocessed: int
    """Recordings that are flagged because they could not be processed."""
    reviews: int
    """Opinions of reviewers that are asked for."""
    reviews_since: datetime | None
    trajectories: int
    """Extractions that have come to an end."""
    core_seconds: float
    """Processor time of those of them that were measured."""
    erasures: int
    """That are done."""
    erasures_begun: int
    """That are not done."""


def measure_workload(catalog: Catalog) -> Workload:
    """Count what there is and what waits, in one transaction.

    Args:
        catalog: an open catalog.

    Returns:
        The numbers.

    Raises:
        StorageFailed: the database cannot be reached.
    """
    by_state = select(RecordingTable.state, func.count()).group_by(RecordingTable.state)
    here = (RecordingTable.state == State.SUBMITTED, RecordingTable.sent_to.is_(None))
    submitted = (
        select(func.max(EventTable.at).label("at"))
        .join(RecordingTable, RecordingTable.recording == EventTable.recording)
        .where(*here, EventTable.to_state == State.SUBMITTED)
        .where(EventTable.from_state.is_distinct_from(EventTable.to_state))  # a failed try ends no wait
        .group_by(EventTable.recording)
        .subquery()
    )
    tries = (
        select(func.count())
        .select_from(EventTable)
        .join(RecordingTable, RecordingTable.recording == EventTable.recording)
        .where(*here, EventTable.from_state == State.SUBMITTED, EventTable.to_state == State.SUBMITTED)
    )
    unprocessed = (
        select(func.count())
        .select_from(RecordingTable)
        .where(RecordingTable.state == State.FLAGGED, RecordingTable.sent_to.is_(None))
        .where(~exists().where(TrajectoryTable.recording == RecordingTable.recording))
    )
    asked = select(func.count(), func.min(ReviewRequestTable.asked_at)).where(ReviewRequestTable.closed_at.is_(None))
    extracted = select(func.count(), func.sum(TrajectoryTable.core_seconds)).select_from(TrajectoryTable)
    erasures = select(func.count(), func.count(ErasureTable.done_at)).select_from(ErasureTable)
    with catalog.reading() as session:
        counted = {state: int(count) for state, count in session.execute(by_state)}
        waiting, since = session.execute(select(func.count(), func.min(submitted.c.at))).one()
        retried, gave_up = session.scalar(tries) or 0, session.scalar(unprocessed) or 0
        reviews, reviews_since = session.execute(asked).one()
        trajectories, core_seconds = session.execute(extracted).one()
        begun, done = session.execute(erasures).one()
    return Workload(
        recordings={state: counted.get(state, 0) for state in State},
        waiting=waiting,
        waiting_since=_utc(since),
        retried=retried,
        unprocessed=gave_up,
        reviews=reviews,
        reviews_since=_utc(reviews_since),
        trajectories=trajectories,
        core_seconds=float(core_seconds or 0),
        erasures=done,
        erasures_begun=begun - done,
    )


def check_answers(catalog: Catalog) -> None:
    """Read something small of the catalog, which fails where it cannot be read.

    Args:
        catalog: an open catalog.

    Raises:
        StorageFailed: the database cannot be reached.
        CorruptObject: it is damaged.
    """
    with catalog.reading() as session:
        session.execute(select(TaskTable.name).limit(1)).first()


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
