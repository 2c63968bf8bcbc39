"""Leases: which recording a reviewer is given to look at, for how long, and when it is one whose answer is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict
from storage.catalog.catalog import Catalog
from storage.catalog.people.account_tables import own_names
from storage.catalog.records import Reason, ReviewLease
from storage.catalog.reviews.opinions import DECISIONS, checked_reviewer, in_round
from storage.catalog.reviews.review_requests import lies_within, open_requests, review_rules
from storage.catalog.state_machine import locked
from storage.catalog.tables import GoldTable, RecordingTable, ReviewLeaseTable, ReviewRequestTable, ReviewTable
from storage.catalog.work_filter import WorkFilter

LEASE = timedelta(minutes=30)
"""How long a recording is kept for a reviewer who is not heard of."""
_DECIDED = frozenset(DECISIONS.values())


@dataclass(frozen=True)
class ReviewLeases:
    """Who looks at which recording of a catalog. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def lease_next(
        self,
        reviewer: str,
        *,
        task: str | None = None,
        language: str | None = None,
        past: Collection[str] = (),
        duration: timedelta = LEASE,
    ) -> ReviewLease | None:
        """Give a reviewer the recording that has waited longest, for themselves alone until the lease ends.

        What they have a lease of already they are given again, for as long anew. Now and then it is a gold recording.

        Args:
            reviewer: their name, a line of 1 to 64 characters.
            task: only of this one; None is any.
            language: of the task, e.g. "pt"; "pt" also means "pt-BR".
            past: recordings to pass over.
            duration: of the lease, from now.

        Returns:
            The lease; None if nothing waits for this reviewer.

        Raises:
            NotFound: there is no such task.
            InvalidInput: the name cannot be one.
            Conflict: the reviewer asks from several places at once.
        """
        checked_reviewer(reviewer)
        for _ in range(2):
            try:
                with self.catalog.writing() as session:
                    return self._lease(session, reviewer, WorkFilter.of(session, task, language, past), duration)
            except IntegrityError:
                continue  # the same reviewer asked twice at once: the other one has it
        raise Conflict(f"{reviewer} asks for reviews from several places at once; use one")

    def lease(self, recording: str, reviewer: str, *, duration: timedelta = LEASE) -> ReviewLease:
        """Give a reviewer the recording that they name, in place of any other that they have a lease of.

        Args:
            recording: its id.
            reviewer: their name, a line of 1 to 64 characters.
            duration: of the lease, from now.

        Returns:
            The lease.

        Raises:
            NotFound: there is no such recording.
            InvalidInput: the name cannot be one.
            Conflict: nobody is asked about it, it is theirs, they were heard, or somebody else looks at it.
        """
        checked_reviewer(reviewer)
        with self.catalog.writing() as session:
            lease = self._own_lease(session, reviewer)
            if lease is not None and lease.recording != recording:
                session.delete(lease)
                session.flush()
            row = locked(session, recording)
            made = self._take(session, row, reviewer, None, duration)
            if made is None:
                raise Conflict(
                    f"recording {recording} ({row.state}) is not for {reviewer} now: it waits for no opinion, is "
                    "with another reviewer, is their own, or has their opinion already (see: kinesphere review)"
                )
            return made

    def renew(self, reviewer: str, *, duration: timedelta = LEASE) -> ReviewLease | None:
        """Let a reviewer have for longer what they look at.

        Args:
            reviewer: their name.
            duration: of the lease, from now.

        Returns:
            The lease; None if they have none any more.
        """
        with self.catalog.writing() as session:
            lease = self._own_lease(session, reviewer)
            if lease is None:
                return None
            lease.until = self.clock() + duration
            return _lease_record(lease)

    def release(self, reviewer: str) -> str | None:
        """Give back what a reviewer looks at, for others to take.

        Args:
            reviewer: their name.

        Returns:
            The id of the recording; None if they have no lease.
        """
        with self.catalog.writing() as session:
            lease = self._own_lease(session, reviewer)
            if lease is None:
                return None
            session.delete(lease)
            return lease.recording

    def _lease(self, session: Session, reviewer: str, work: WorkFilter, duration: timedelta) -> ReviewLease | None:
        lease = self._own_lease(session, reviewer)
        if lease is not None:
            still = work.restricted(select(RecordingTable.recording)).where(RecordingTable.recording == lease.recording)
            if session.scalars(still).first() is not None:
                lease.until = self.clock() + duration
                return _lease_record(lease)
            session.delete(lease)
            session.flush()
        for recording in self._gold_recordings(session, reviewer, work):
            row = locked(session, recording)
            made = self._take(session, row, reviewer, "gold", duration)
            if made is not None:
                return made
        for recording in session.scalars(_waiting(session, work, reviewer, self.clock())).all():
            made = self._take(session, locked(session, recording), reviewer, None, duration)
            if made is not None:
                return made
        return None

    def _own_lease(self, session: Session, reviewer: str) -> ReviewLeaseTable | None:
        query = select(ReviewLeaseTable).where(ReviewLeaseTable.reviewer == reviewer)
        return session.scalars(query.with_for_update()).first()

    def _take(
        self, session: Session, row: RecordingTable, reviewer: str, reason: Reason | None, duration: timedelta
    ) -> ReviewLease | None:
        """Lease a locked recording, if it still waits for this reviewer; `reason` None: as it was asked for."""
        now, requests = self.clock(), open_requests(session, row.recording)
        lease = session.get(ReviewLeaseTable, row.recording, with_for_update=True)
        if lease is not None and lease.reviewer != reviewer and lease.until > now:
            return None
        if row.contributor in own_names(session, reviewer):
            return None
        if reason is None:
            if not requests:
                return None
            given = in_round(session, row.recording, requests[0].round)
            if reviewer in {review.reviewer for review in given}:
                return None
            reason = cast("Reason", requests[0].reason)
        elif requests or row.state not in _DECIDED:
            return None
        begun_at = now
        if lease is not None:
            begun_at = lease.begun_at if lease.reviewer == reviewer else now
            session.delete(lease)
            session.flush()
        made = ReviewLease(row.recording, reviewer, reason, begun_at, now + duration)
        session.add(ReviewLeaseTable(**vars(made)))
        session.flush()
        return made

    def _gold_recordings(self, session: Session, reviewer: str, work: WorkFilter) -> list[str]:
        """Recordings whose answer is known, for this reviewer, if it is time for one.

        The reviewer's name and how many opinions they gave decide: it cannot be foreseen, and asking again is no use.
        """
        given = session.scalar(select(func.count()).select_from(ReviewTable).where(ReviewTable.reviewer == reviewer))
        heard = select(ReviewTable.recording).where(ReviewTable.reviewer == reviewer)
        query = work.restricted(select(RecordingTable).join(GoldTable, GoldTable.recording == RecordingTable.recording))
        rows = session.scalars(
            query.where(
                GoldTable.marked_by != reviewer,
                RecordingTable.contributor.not_in(own_names(session, reviewer)),
                RecordingTable.state.in_(_DECIDED),
                RecordingTable.recording.not_in(heard),
            )
        ).all()
        lot = f"gold:{reviewer}:{given}"
        drawn = [row.recording for row in rows if lies_within(lot, review_rules(session, row).gold_share)]
        return sorted(drawn, key=lambda recording: hashlib.sha256(f"{lot}:{recording}".encode()).digest())


def _waiting(session: Session, work: WorkFilter, reviewer: str, now: datetime) -> Select[Any]:
    """Ids of the recordings that a reviewer may have now, longest first."""
    oldest = func.min(ReviewRequestTable.asked_at)
    query = work.restricted(
        select(RecordingTable.recording)
        .join(ReviewRequestTable, ReviewRequestTable.recording == RecordingTable.recording)
        .where(ReviewRequestTable.closed_at.is_(None))
    )
    heard = select(ReviewTable.review).where(
        ReviewTable.recording == RecordingTable.recording,
        ReviewTable.round == ReviewRequestTable.round,
        ReviewTable.reviewer == reviewer,
    )
    taken = select(ReviewLeaseTable.recording).where(
        ReviewLeaseTable.recording == RecordingTable.recording, ReviewLeaseTable.until > now
    )
    query = query.where(
        RecordingTable.contributor.not_in(own_names(session, reviewer)), ~heard.exists(), ~taken.exists()
    )
    return query.group_by(RecordingTable.recording).order_by(oldest, RecordingTable.recording)


def _lease_record(row: ReviewLeaseTable) -> ReviewLease:
    return ReviewLease(row.recording, row.reviewer, cast("Reason", row.reason), row.begun_at, row.until)
