"""Gold recordings: those whose right decision is known, by which reviewers are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import CursorResult, delete, select

from kinesphere.errors import Conflict
from storage.catalog.catalog import Catalog
from storage.catalog.records import Decision, GoldRecord
from storage.catalog.reviews.opinions import DECISIONS
from storage.catalog.reviews.review_requests import open_requests
from storage.catalog.state_machine import locked
from storage.catalog.tables import GoldTable, ReviewLeaseTable, ReviewTable
from storage.catalog.transactions import record_of

_DECISION_OF = {state: decision for decision, state in DECISIONS.items()}


@dataclass(frozen=True)
class GoldRecordings:
    """The recordings of a catalog whose right decision is known. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def mark(self, recording: str, *, who: str, decision: Decision | None = None) -> GoldRecord:
        """Enter that the right decision on a recording is known: what was decided, unless another is given.

        From now on it is given to reviewers now and then, who do not see that it is a test. Its state stays.

        Args:
            recording: its id.
            who: says so; they are never tested with it themselves.
            decision: the right one; None is what reviewers have decided.

        Returns:
            What was entered.

        Raises:
            NotFound: there is no such recording.
            Conflict: reviewers have not decided on it, or are about to again.
        """
        with self.catalog.writing() as session:
            row = locked(session, recording)
            heard = session.scalars(select(ReviewTable).where(ReviewTable.recording == recording)).first()
            if row.state not in _DECISION_OF or heard is None or open_requests(session, recording):
                raise Conflict(
                    f"recording {recording} is {row.state} and not decided by reviewers; "
                    "a known answer needs a decision first"
                )
            answer = decision or _DECISION_OF[row.state]
            entered = GoldRecord(recording, answer, who, self.clock())
            session.merge(GoldTable(**vars(entered)))
            return entered

    def unmark(self, recording: str) -> bool:
        """Do not measure reviewers by a recording any more.

        Args:
            recording: its id.

        Returns:
            Whether it was marked.
        """
        with self.catalog.writing() as session:
            session.execute(
                delete(ReviewLeaseTable).where(
                    ReviewLeaseTable.recording == recording, ReviewLeaseTable.reason == "gold"
                )
            )
            removed = session.execute(delete(GoldTable).where(GoldTable.recording == recording))
            return cast("CursorResult[object]", removed).rowcount == 1

    def all(self) -> list[GoldRecord]:
        """The recordings whose right decision is known.

        Returns:
            In the order in which they were marked.
        """
        with self.catalog.reading() as session:
            rows = session.scalars(select(GoldTable).order_by(GoldTable.marked_at, GoldTable.recording))
            return [record_of(GoldRecord, row) for row in rows]
