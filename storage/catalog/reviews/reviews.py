"""Reviews: what waits for an opinion, what reviewers decide, and everything that they have said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import func, select

from storage.catalog.catalog import Catalog
from storage.catalog.records import Decision, Reason, RecordingRecord, ReviewRecord, WaitingReview
from storage.catalog.reviews.opinions import checked_reviewer, give_opinion
from storage.catalog.tables import RecordingTable, ReviewLeaseTable, ReviewRequestTable, ReviewTable
from storage.catalog.transactions import record_of
from storage.catalog.work_filter import WorkFilter

_OPINIONS_GIVEN = (
    select(ReviewTable.recording, ReviewTable.round, func.count())
    .join(ReviewRequestTable, ReviewRequestTable.recording == ReviewTable.recording)
    .where(ReviewRequestTable.closed_at.is_(None), ReviewRequestTable.round == ReviewTable.round)
    .where(ReviewTable.reason != "gold")
    .group_by(ReviewTable.recording, ReviewTable.round, ReviewRequestTable.request)
)


@dataclass(frozen=True)
class Reviews:
    """The reviews of a catalog. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

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
        """Enter a reviewer's opinion, and the decision if it was the last one needed.

        Args:
            recording: its id.
            decision: what they would do with it.
            reviewer: their name, a line of 1 to 64 characters.
            feedback: what the contributor is told.
            named: names of the feedback texts that it is put together from.
            ranges: what it is about, each from where to where in nanoseconds.

        Returns:
            The opinion as it was entered.

        Raises:
            NotFound: there is no such recording.
            InvalidInput: the name cannot be one.
            Conflict: the reviewer recorded it or was heard already, somebody else looks at it, or nobody is asked for
                an opinion: it was decided or withdrawn meanwhile.
        """
        checked_reviewer(reviewer)
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
        """What waits for a reviewer, whether somebody looks at it now or not.

        Args:
            task: only of this one; None is all.
            language: of the task, e.g. "pt"; "pt" also means "pt-BR".

        Returns:
            Each recording once, what has waited longest first.

        Raises:
            NotFound: there is no such task.
        """
        asked = (
            select(RecordingTable, ReviewRequestTable)
            .join(ReviewRequestTable, ReviewRequestTable.recording == RecordingTable.recording)
            .where(ReviewRequestTable.closed_at.is_(None))
            .order_by(ReviewRequestTable.asked_at, RecordingTable.recording, ReviewRequestTable.request)
        )
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
                    recording=record_of(RecordingRecord, row),
                    reasons=(reason,),
                    asked_at=request.asked_at,
                    opinions=given.get((name, request.round), 0),
                    leased_by=lease.reviewer if lease is not None else None,
                    leased_until=lease.until if lease is not None else None,
                )
        return list(found.values())

    def opinions(self) -> list[ReviewRecord]:
        """Everything that reviewers have said, also what only measured them.

        Returns:
            Oldest first.
        """
        with self.catalog.reading() as session:
            rows = session.scalars(select(ReviewTable).order_by(ReviewTable.review))
            return [record_of(ReviewRecord, row) for row in rows]
