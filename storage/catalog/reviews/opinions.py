"""Opinions: what one reviewer says of a recording, and what follows from all that were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, InvalidInput
from storage.catalog.people.account_tables import own_names
from storage.catalog.records import Decision, Reason, ReviewRecord
from storage.catalog.reviews.review_requests import ask, open_requests, review_rules
from storage.catalog.state_machine import change_state, locked, new_event
from storage.catalog.tables import NOBODY, RecordingTable, ReviewLeaseTable, ReviewRequestTable, ReviewTable
from storage.recordings.recording import State

DECISIONS: Mapping[Decision, State] = {
    "accept": State.ACCEPTED,
    "return": State.RETURNED,
    "reject": State.REJECTED,
}
"""What becomes of a recording; from mild to severe."""


def give_opinion(
    session: Session,
    recording: str,
    decision: Decision,
    *,
    reviewer: str,
    feedback: str,
    at: datetime,
    named: Sequence[str] = (),
    ranges: tuple[tuple[int, int], ...] = (),
) -> ReviewRecord:
    """Enter an opinion, and the decision if it was the last one needed.

    Raises:
        NotFound: there is no such recording.
        Conflict: the reviewer recorded it or was heard already, somebody else looks at it, or nobody is asked for an
            opinion: it was decided or withdrawn meanwhile.
    """
    row = locked(session, recording)
    if row.contributor in own_names(session, reviewer):
        raise Conflict(f"recording {recording} is by {reviewer}; nobody reviews their own recording")
    if row.state in (State.WITHDRAWN, State.ERASED):
        raise Conflict(f"recording {recording} was taken back by its contributor; nothing is decided on it any more")
    lease = session.get(ReviewLeaseTable, recording, with_for_update=True)
    if lease is not None and lease.reviewer != reviewer and lease.until > at:
        raise Conflict(
            f"recording {recording} is with {lease.reviewer} until {lease.until:%H:%M} UTC; "
            "take another one with: kinesphere review --next"
        )
    is_leased = lease is not None and lease.reviewer == reviewer
    begun_at = lease.begun_at if lease is not None and is_leased else None
    request = None
    reason: Reason = "gold"
    if lease is None or not is_leased or lease.reason != "gold":
        request = _request_for(session, row, decision, reviewer)
        reason = cast("Reason", request.reason)
    review = ReviewRecord(
        recording,
        reviewer,
        decision,
        feedback,
        at,
        reason,
        request.round if request is not None else 0,
        list(named),
        ranges,
        request.asked_at if request is not None else None,
        begun_at,
    )
    session.add(ReviewTable(**vars(review)))
    if lease is not None:
        session.delete(lease)
    if request is not None:
        request.closed_at = at
        session.flush()
        _conclude(session, row, request, review)
    return review


def checked_reviewer(reviewer: str) -> str:
    """The name of a reviewer, if it can be one.

    Raises:
        InvalidInput: it is no line of 1 to 64 characters.
    """
    if not reviewer.strip() or len(reviewer) > 64 or not reviewer.isprintable() or reviewer == NOBODY:
        raise InvalidInput(f"'{reviewer[:70]}' cannot name a reviewer: use a line of 1 to 64 characters")
    return reviewer


def median_decision(decisions: Sequence[Decision]) -> Decision:
    """What a round of one, two equal, or three opinions comes to: the one in the middle, from mild to severe.

    Args:
        decisions: of one round, in any order.

    Returns:
        The decision.
    """
    severity = list(DECISIONS)
    return severity[sorted(severity.index(decision) for decision in decisions)[len(decisions) // 2]]


def in_round(session: Session, recording: str, number: int) -> Sequence[ReviewTable]:
    """The opinions that were given in a round, in order."""
    query = select(ReviewTable).where(
        ReviewTable.recording == recording, ReviewTable.round == number, ReviewTable.reason != "gold"
    )
    return session.scalars(query.order_by(ReviewTable.review)).all()


def _request_for(session: Session, row: RecordingTable, decision: Decision, reviewer: str) -> ReviewRequestTable:
    requests = open_requests(session, row.recording)
    if not requests:
        raise Conflict(
            f"recording {row.recording} is {row.state}; it cannot become {DECISIONS[decision]} by review, no opinion "
            f"is asked for (see: kinesphere status {row.recording})"
        )
    if reviewer in {review.reviewer for review in in_round(session, row.recording, requests[0].round)}:
        raise Conflict(f"{reviewer} has given an opinion on recording {row.recording}; now another reviewer is asked")
    return requests[0]


def _conclude(session: Session, row: RecordingTable, request: ReviewRequestTable, review: ReviewRecord) -> None:
    """Decide, or ask for another opinion; each leaves an event that tells no opinion before all are given."""
    number, recording, opinions = request.round, row.recording, review_rules(session, row).opinions
    if row.state is State.ACCEPTED:
        if review.decision == "accept":
            session.add(new_event(recording, review.reviewer, row.state, row.state, "looked at, and still accepted"))
            return
        change_state(session, row, State.FLAGGED, who=review.reviewer, why="doubted by a reviewer")
        if opinions > 1:
            ask(session, recording, "second opinion", round=number, at=request.asked_at)
    given = in_round(session, recording, number)
    if not open_requests(session, recording):
        if len(given) != 2 or given[0].decision == given[1].decision:
            _settle(session, row, given)
            return
        ask(session, recording, "tie", round=number, at=request.asked_at)
    why = f"opinion {len(given)}; another one is asked for"
    session.add(new_event(recording, review.reviewer, State.FLAGGED, State.FLAGGED, why))


def _settle(session: Session, row: RecordingTable, given: Sequence[ReviewTable]) -> None:
    decided = median_decision([cast("Decision", review.decision) for review in given])
    reasons = [review.feedback for review in given if review.decision == decided and review.feedback]
    change_state(
        session, row, DECISIONS[decided], who=given[-1].reviewer, why="; ".join(dict.fromkeys(reasons)) or decided
    )
