"""The catalog's queue of reviews: who looks at what, what was said, and which answers are known."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, InvalidInput
from storage.catalog.catalog import Catalog
from storage.catalog.people.account_tables import own_names
from storage.catalog.records import (
    CheckValue,
    Decision,
    GoldRecord,
    Reason,
    RecordingRecord,
    ReviewLease,
    ReviewRecord,
    Verdict,
    WaitingReview,
)
from storage.catalog.reviews.opinions import give_opinion, in_round
from storage.catalog.reviews.review_requests import lies_within, open_requests, review_rules
from storage.catalog.state_machine import locked
from storage.catalog.tables import (
    NOBODY,
    CheckTable,
    GoldTable,
    RecordingTable,
    ReviewLeaseTable,
    ReviewRequestTable,
    ReviewTable,
)
from storage.catalog.work_filter import WorkFilter
from storage.recordings.recording import State

LEASE = timedelta(minutes=30)
"""How long a recording is kept for a reviewer who is not heard of."""
_OPINIONS_GIVEN = (
    select(ReviewTable.recording, ReviewTable.round, func.count())
    .join(ReviewRequestTable, ReviewRequestTable.recording == ReviewTable.recording)
    .where(ReviewRequestTable.closed_at.is_(None), ReviewRequestTable.round == ReviewTable.round)
    .where(ReviewTable.reason != "gold")
    .group_by(ReviewTable.recording, ReviewTable.round, ReviewRequestTable.request)
)
_DECIDED = {State.ACCEPTED: "accept", State.RETURNED: "return", State.REJECTED: "reject"}


@dataclass(frozen=True)
class Reviews:
    """The reviews of a catalog. Every method is one transaction."""

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

        What they hold already they are given again, for as long anew. Now and then it is one whose answer is known.

        Args:
            language: of the task, e.g. "pt"; "pt" also means "pt-BR".
            past: recordings to pass over.

        Returns:
            None if nothing waits for this reviewer.
        """
        _check_reviewer(reviewer)
        for _ in range(2):
            try:
                with self.catalog.writing() as session:
                    return self._lease(session, reviewer, WorkFilter.of(session, task, language, past), duration)
            except IntegrityError:
                continue  # the same reviewer asked twice at once: the other one has it
        raise Conflict(f"{reviewer} asks for reviews from several places at once; use one")

    def lease(self, recording: str, reviewer: str, *, duration: timedelta = LEASE) -> ReviewLease:
        """Give a reviewer the recording that they name.

        Raises:
            NotFound: there is no such recording.
            Conflict: nobody is asked about it, it is theirs, they were heard, or somebody else looks at it.
        """
        _check_reviewer(reviewer)
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
        """Keep what a reviewer holds for as long anew; None if they hold nothing any more."""
        with self.catalog.writing() as session:
            lease = self._own_lease(session, reviewer)
            if lease is None:
                return None
            lease.until = self.clock() + duration
            return _lease_record(lease)

    def release(self, reviewer: str) -> str | None:
        """Give back what a reviewer holds, for others to take; gives its id, or None if they hold nothing."""
        with self.catalog.writing() as session:
            lease = self._own_lease(session, reviewer)
            if lease is None:
                return None
            session.delete(lease)
            return lease.recording

    def decide(
        self,
        recording: str,
        decision: Decision,
        *,
        reviewer: str,
        feedback: str,
        named: Sequence[str] = (),
        ranges: tuple[tuple[int, int], ...] = (),
    ) -> ReviewRecord:
        """Enter a reviewer's opinion, and the decision if it was the last one needed; errors as in `give_opinion`."""
        _check_reviewer(reviewer)
        with self.catalog.writing() as session:
            return give_opinion(
                session,
                recording,
                decision,
                reviewer=reviewer,
                feedback=feedback,
                at=self.clock(),
                named=named,
                ranges=ranges,
            )

    def queue(self, *, task: str | None = None, language: str | None = None) -> list[WaitingReview]:
        """What waits for a reviewer, longest first."""
        asked = (
            select(RecordingTable, ReviewRequestTable)
            .join(ReviewRequestTable, ReviewRequestTable.recording == RecordingTable.recording)
            .where(ReviewRequestTable.closed_at.is_(None))
            .order_by(ReviewRequestTable.asked_at, RecordingTable.recording, ReviewRequestTable.request)
        )
        names = [field.name for field in fields(RecordingRecord)]
        found: dict[str, WaitingReview] = {}
        with self.catalog.reading() as session:
            live = select(ReviewLeaseTable).where(ReviewLeaseTable.until > self.clock())
            leases = {lease.recording: lease for lease in session.scalars(live)}
            given = {(recording, number): count for recording, number, count in session.execute(_OPINIONS_GIVEN)}
            for row, request in session.execute(WorkFilter.of(session, task, language, ()).restricted(asked)):
                name, reason = row.recording, cast("Reason", request.reason)
                if name in found:
                    found[name] = replace(found[name], reasons=(*found[name].reasons, reason))
                    continue
                lease = leases.get(name)
                found[name] = WaitingReview(
                    recording=RecordingRecord(**{field: getattr(row, field) for field in names}),
                    reasons=(reason,),
                    asked_at=request.asked_at,
                    opinions=given.get((name, request.round), 0),
                    leased_by=lease.reviewer if lease is not None else None,
                    leased_until=lease.until if lease is not None else None,
                )
        return list(found.values())

    def mark_gold(self, recording: str, *, who: str, decision: Decision | None = None) -> GoldRecord:
        """Enter that the right decision on a recording is known: what was decided, unless another is given.

        From now on it is given to reviewers now and then, who do not see that it is a test. Its state stays.

        Raises:
            Conflict: reviewers have not decided on it, or are about to again.
        """
        with self.catalog.writing() as session:
            row = locked(session, recording)
            heard = session.scalars(select(ReviewTable).where(ReviewTable.recording == recording)).first()
            if row.state not in _DECIDED or heard is None or open_requests(session, recording):
                raise Conflict(
                    f"recording {recording} is {row.state} and not decided by reviewers; "
                    "a known answer needs a decision first"
                )
            answer = decision or cast("Decision", _DECIDED[row.state])
            made = GoldRecord(recording, answer, who, self.clock())
            session.merge(GoldTable(**vars(made)))
            return made

    def unmark_gold(self, recording: str) -> bool:
        """Do not measure reviewers by a recording any more; says whether it was marked."""
        with self.catalog.writing() as session:
            session.execute(
                delete(ReviewLeaseTable).where(
                    ReviewLeaseTable.recording == recording, ReviewLeaseTable.reason == "gold"
                )
            )
            gone = session.execute(delete(GoldTable).where(GoldTable.recording == recording))
            return cast("CursorResult[object]", gone).rowcount == 1

    def golds(self) -> list[GoldRecord]:
        """The recordings whose answer is known, in the order in which they were marked."""
        with self.catalog.reading() as session:
            rows = session.scalars(select(GoldTable).order_by(GoldTable.marked_at, GoldTable.recording))
            return [
                GoldRecord(row.recording, cast("Decision", row.decision), row.marked_by, row.marked_at) for row in rows
            ]

    def opinions(self) -> list[ReviewRecord]:
        """Everything that reviewers have said, oldest first, also what only measured them."""
        with self.catalog.reading() as session:
            names = [field.name for field in fields(ReviewRecord)]
            rows = session.scalars(select(ReviewTable).order_by(ReviewTable.review))
            return [ReviewRecord(**{name: getattr(row, name) for name in names}) for row in rows]

    def open_rounds(self) -> set[tuple[str, int]]:
        """The recordings, each with its round, on which opinions are still asked for."""
        query = select(ReviewRequestTable.recording, ReviewRequestTable.round)
        with self.catalog.reading() as session:
            rows = session.execute(query.where(ReviewRequestTable.closed_at.is_(None)))
            return {(recording, number) for recording, number in rows}

    def check_values(self, task: str | None = None) -> Iterator[tuple[str, CheckValue]]:
        """What all automated checks measured, of one task or all; each with its recording."""
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
        with self.catalog.reading() as session:
            ordered = query.order_by(CheckTable.recording, CheckTable.check).execution_options(yield_per=10_000)
            for recording, check, value, doubt, fail, verdict in session.execute(ordered):
                # each is one of a few words: one copy is enough
                yield recording, CheckValue(sys.intern(check), value, doubt, fail, cast("Verdict", sys.intern(verdict)))

    def _lease(self, session: Session, reviewer: str, work: WorkFilter, duration: timedelta) -> ReviewLease | None:
        lease = self._own_lease(session, reviewer)
        if lease is not None:
            still = work.restricted(select(RecordingTable.recording)).where(RecordingTable.recording == lease.recording)
            if session.scalars(still).first() is not None:
                lease.until = self.clock() + duration
                return _lease_record(lease)
            session.delete(lease)
            session.flush()
        for recording in self._tests(session, reviewer, work):
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

    def _tests(self, session: Session, reviewer: str, work: WorkFilter) -> list[str]:
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
        lucky = [row.recording for row in rows if lies_within(lot, review_rules(session, row).gold_share)]
        return sorted(lucky, key=lambda recording: hashlib.sha256(f"{lot}:{recording}".encode()).digest())


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


def _check_reviewer(reviewer: str) -> None:
    if not reviewer.strip() or len(reviewer) > 64 or not reviewer.isprintable() or reviewer == NOBODY:
        raise InvalidInput(f"'{reviewer[:70]}' cannot name a reviewer: use a line of 1 to 64 characters")


def _lease_record(row: ReviewLeaseTable) -> ReviewLease:
    return ReviewLease(row.recording, row.reviewer, cast("Reason", row.reason), row.begun_at, row.until)
