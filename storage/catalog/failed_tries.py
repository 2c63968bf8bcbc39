"""Recordings that could not be processed: each try is counted, and after some of them a person is asked."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict
from storage.catalog.catalog import Catalog
from storage.catalog.outcome_entries import is_unprocessed
from storage.catalog.records import Failed
from storage.catalog.state_machine import locked, move, new_event
from storage.catalog.tables import EventTable, RecordingTable, TrajectoryTable
from storage.recordings.recording import State

PROCESSING = "kinesphere"
"""Who has done what `process` does, in a recording's events."""
MOST_TRIES = 3
"""After so many that failed a recording is flagged and not tried again, unless somebody says so."""


@dataclass(frozen=True)
class FailedTries:
    """The failed tries of a catalog. Every method is one transaction.

    They are events of the recording: each leaves it as submitted, and the last makes it flagged. In no other way a
    recording is flagged without a trajectory.
    """

    catalog: Catalog

    def enter(self, recording: str, *, why: str) -> Failed:
        """Enter that a recording could not be processed.

        Args:
            recording: its id.
            why: it failed, in a line.

        Returns:
            How often it has failed before it was left to a person, and what it is now.

        Raises:
            NotFound: there is no such recording.
            Conflict: it no longer waits to be processed; another process was faster, or it was withdrawn.
        """
        with self.catalog.writing() as session:
            row = locked(session, recording)
            tries = _tries(session, recording)
            if is_unprocessed(session, row):
                session.add(new_event(recording, PROCESSING, row.state, row.state, f"tried again, and failed: {why}"))
                return Failed(tries, State.FLAGGED)
            if row.state is not State.SUBMITTED:
                raise Conflict(f"recording {recording} is {row.state}; it no longer waits to be processed")
            words = f"try {tries + 1} of {MOST_TRIES} failed: {why}"
            if tries + 1 < MOST_TRIES:
                session.add(new_event(recording, PROCESSING, row.state, row.state, words))
                return Failed(tries + 1, State.SUBMITTED)
            move(session, recording, State.FLAGGED, who=PROCESSING, why=words)
            return Failed(tries + 1, State.FLAGGED)

    def unprocessed(self, recording: str | None = None) -> dict[str, str]:
        """The recordings that are flagged because they could not be processed.

        Args:
            recording: only this one; None is all.

        Returns:
            By id of the recording, what its last try came to.
        """
        untouched = ~exists().where(TrajectoryTable.recording == RecordingTable.recording)
        query = _last_words(State.FLAGGED).where(EventTable.who == PROCESSING, untouched)
        if recording is not None:
            query = query.where(RecordingTable.recording == recording)
        with self.catalog.reading() as session:
            return {row.recording: row.why for row in session.execute(query)}

    def waiting(self) -> dict[str, str]:
        """The recordings that will be tried again.

        Returns:
            By id of the recording, what its last try came to.
        """
        query = _last_words(State.SUBMITTED).where(EventTable.from_state == State.SUBMITTED)
        with self.catalog.reading() as session:
            return {row.recording: row.why for row in session.execute(query)}


def _tries(session: Session, recording: str) -> int:
    """How often processing has failed while the recording waited for it."""
    failed = select(func.count()).where(
        EventTable.recording == recording,
        EventTable.from_state == State.SUBMITTED,
        EventTable.to_state.in_((State.SUBMITTED, State.FLAGGED)),
    )
    return session.scalar(failed) or 0


def _last_words(state: State) -> Select[str, str]:
    """Of the recordings in a state, why they are in it, as processing has said last."""
    last = (
        select(func.max(EventTable.event))
        .where(EventTable.to_state == state, EventTable.recording == RecordingTable.recording)
        .where(or_(EventTable.who == PROCESSING, EventTable.from_state != EventTable.to_state))
        .correlate(RecordingTable)
        .scalar_subquery()
    )
    return (
        select(EventTable.recording, EventTable.why)
        .join(RecordingTable, RecordingTable.recording == EventTable.recording)
        .where(RecordingTable.state == state, EventTable.event == last)
    )
