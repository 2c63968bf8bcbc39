"""The flow of recordings through a workspace: what came in when, what waits where, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median

from sqlalchemy import func, select

from storage.catalog.catalog import Catalog
from storage.catalog.records import Arrivals, Queue
from storage.catalog.tables import EventTable, RecordingTable, TrajectoryTable
from storage.recordings.recording import State

WAITING = (State.DRAFT, State.SUBMITTED, State.FLAGGED, State.RETURNED)
"""The states in which somebody is awaited: the contributor, the operator, a reviewer, the contributor again."""


@dataclass(frozen=True)
class Throughput:
    """The flow of recordings of a catalog. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def arrivals(self, days: int = 30) -> list[Arrivals]:
        """What came in on each of the last days, oldest first; days without recordings are left out.

        Args:
            days: how many, up to today.

        Returns:
            One a day and task.
        """
        day = func.date(RecordingTable.created_at)
        query = (
            select(day, RecordingTable.task, func.count(), func.sum(RecordingTable.duration_ns))
            .where(
                RecordingTable.created_at >= self.clock() - timedelta(days=days), RecordingTable.state != State.ERASED
            )
            .group_by(day, RecordingTable.task)
            .order_by(day, RecordingTable.task)
        )
        with self.catalog.reading() as session:
            return [
                Arrivals(date.fromisoformat(str(on)), task, recordings, float(total or 0) / 1e9)
                for on, task, recordings, total in session.execute(query)
            ]

    def queues(self) -> list[Queue]:
        """How many recordings are in each state, in the order of a recording's life.

        Returns:
            All states, also those of no recording.
        """
        totals = select(RecordingTable.state, func.count(), func.sum(RecordingTable.duration_ns)).group_by(
            RecordingTable.state
        )
        since = (
            select(RecordingTable.state, func.max(EventTable.at))
            .join(EventTable, EventTable.recording == RecordingTable.recording)
            .where(RecordingTable.state.in_(WAITING), EventTable.to_state == RecordingTable.state)
            .where(EventTable.from_state.is_distinct_from(EventTable.to_state))  # a failed try ends no wait
            .group_by(RecordingTable.state, RecordingTable.recording)
        )
        now = self.clock()
        moments: dict[State, list[datetime]] = {}
        with self.catalog.reading() as session:
            counted = {state: (count, float(total or 0)) for state, count, total in session.execute(totals)}
            for state, at in session.execute(since):
                moments.setdefault(state, []).append(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
        return [
            Queue(
                state,
                counted.get(state, (0, 0.0))[0],
                counted.get(state, (0, 0.0))[1] / 3.6e12,
                min(moments[state]) if state in moments else None,
                median((now - at).total_seconds() for at in moments[state]) if state in moments else None,
            )
            for state in State
        ]

    def extraction(self) -> tuple[float, float]:
        """Core-seconds that extraction took where it was measured, and the seconds of video that it was for.

        Returns:
            Both 0 where nothing was measured.
        """
        query = select(func.sum(TrajectoryTable.core_seconds), func.sum(RecordingTable.duration_ns)).join(
            RecordingTable, RecordingTable.recording == TrajectoryTable.recording
        )
        with self.catalog.reading() as session:
            cores, total = session.execute(query.where(TrajectoryTable.core_seconds.is_not(None))).one()
        return float(cores or 0), float(total or 0) / 1e9
