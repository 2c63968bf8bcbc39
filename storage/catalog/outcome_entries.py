"""What processing found, in the catalog: the results of checks, trajectories, and what reviewers said of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict
from storage.catalog.records import CheckRecord, CheckValue, ReviewRecord, TrajectoryRecord, Verdict
from storage.catalog.state_machine import locked, move, new_event
from storage.catalog.tables import CheckTable, RecordingTable, ReviewTable, TrajectoryTable
from storage.catalog.transactions import Transactions, record_of
from storage.recordings.recording import State


class OutcomeEntries(Transactions):
    """What the catalog does with the outcomes of processing and review."""

    def record_outcome(
        self,
        recording: str,
        state: State,
        *,
        checks: Sequence[CheckRecord],
        trajectory: TrajectoryRecord,
        who: str,
        why: str,
    ) -> None:
        """Enter what processing found: the checks, the trajectory and the state that follows from them.

        Args:
            recording: id of a submitted recording, or of one that is flagged because it could not be processed.
            state: that it goes to.
            checks: results of the automated checks.
            trajectory: that was extracted.
            who: enters it, for the recording's events.
            why: the state follows, in a line.

        Raises:
            NotFound: there is no such recording.
            Conflict: it is no longer waiting; another process was faster, or it was withdrawn.
        """
        with self.writing() as session:
            row = locked(session, recording)
            if state is State.FLAGGED and is_unprocessed(session, row):  # reviewers are asked already
                session.add(new_event(recording, who, row.state, state, why))
            else:
                move(session, recording, state, who=who, why=why)
            for check in checks:
                session.merge(CheckTable(recording=recording, **vars(check)))
            session.merge(TrajectoryTable(**vars(trajectory), created_at=datetime.now(UTC)))

    def add_trajectory(self, trajectory: TrajectoryRecord) -> None:
        """Enter what another extraction of a processed recording gave; it is the newest trajectory from now on.

        Args:
            trajectory: with the id of its recording.

        Raises:
            NotFound: there is no such recording.
            Conflict: the recording is neither accepted nor flagged any more.
        """
        with self.writing() as session:
            row = locked(session, trajectory.recording)
            if row.state not in (State.ACCEPTED, State.FLAGGED):
                raise Conflict(f"recording {row.recording} is {row.state}; no trajectory is entered for it")
            session.merge(TrajectoryTable(**vars(trajectory), created_at=datetime.now(UTC)))

    def trajectory(self, recording: str) -> TrajectoryRecord | None:
        """The newest trajectory of a recording.

        Args:
            recording: its id.

        Returns:
            Its entry; None if nothing was extracted.
        """
        query = select(TrajectoryTable).where(TrajectoryTable.recording == recording)
        with self.reading() as session:
            row = session.scalars(query.order_by(TrajectoryTable.created_at.desc())).first()
            return record_of(TrajectoryRecord, row) if row is not None else None

    def checks(self, recording: str) -> list[CheckRecord]:
        """The results of the automated checks of a recording.

        Args:
            recording: its id.

        Returns:
            Sorted by the checks' names; none before it is processed.
        """
        query = select(CheckTable).where(CheckTable.recording == recording).order_by(CheckTable.check)
        with self.reading() as session:
            return [record_of(CheckRecord, row) for row in session.scalars(query)]

    def check_values(self, task: str | None = None) -> Iterator[tuple[str, CheckValue]]:
        """What all automated checks measured.

        Args:
            task: only in its recordings; None is all.

        Yields:
            The id of a recording with one value, by recording and check.
        """
        query = select(
            CheckTable.recording,
            CheckTable.check,
            CheckTable.value,
            CheckTable.doubt,
            CheckTable.fail,
            CheckTable.verdict,
        )
        if task is not None:
            query = query.join(RecordingTable).where(RecordingTable.task == task)
        with self.reading() as session:
            ordered = query.order_by(CheckTable.recording, CheckTable.check).execution_options(yield_per=10_000)
            for recording, check, value, doubt, fail, verdict in session.execute(ordered):
                # each is one of a few words: one copy is enough
                yield recording, CheckValue(sys.intern(check), value, doubt, fail, cast("Verdict", sys.intern(verdict)))

    def reviews(self, recording: str) -> list[ReviewRecord]:
        """What reviewers said of a recording, but for opinions that only measured them.

        Args:
            recording: its id.

        Returns:
            Oldest first.
        """
        query = select(ReviewTable).where(ReviewTable.recording == recording, ReviewTable.reason != "gold")
        with self.reading() as session:
            return [record_of(ReviewRecord, row) for row in session.scalars(query.order_by(ReviewTable.review))]


def is_unprocessed(session: Session, row: RecordingTable) -> bool:
    """Whether a recording is flagged because it could not be processed.

    Args:
        session: of a transaction.
        row: of the recording.

    Returns:
        False for one that is flagged because of what was found in it.
    """
    if row.state is not State.FLAGGED:
        return False
    found = session.scalars(select(TrajectoryTable.shard).where(TrajectoryTable.recording == row.recording))
    return found.first() is None
