"""The contributor's side of a server: sends drafts with a progress bar, and asks what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotate.gate.feedback import where
from capture.drafts.upload import ask_state, end_upload, send, server_at, withdraw_there
from kinesphere.errors import KinesphereError, StorageFailed
from storage.catalog import RecordingRecord
from storage.workspace import Workspace
from studio.commands.output import progress, say, say_error


def send_all(
    workspace: Workspace, recordings: Sequence[str], *, to: str, token: str | None, quiet: bool
) -> tuple[list[str], list[KinesphereError]]:
    """Send drafts one after the other; gives those that the server confirmed, and why others were refused.

    Raises:
        KinesphereError: the one recording that was asked for was refused, or the server cannot be reached.
    """
    server = server_at(to, token)
    sent: list[str] = []
    failures: list[KinesphereError] = []
    for number, recording in enumerate(recordings, 1):
        with progress(f"Sending {number} of {len(recordings)}, kB", None, quiet=quiet) as show:

            def tell(done: int, total: int) -> None:
                show(done // 1000, total=total // 1000)

            try:
                send(workspace, recording, server, on_progress=tell)
                sent.append(recording)
            except StorageFailed:
                raise  # the next one would fail too
            except KinesphereError as error:
                if len(recordings) == 1:
                    raise
                failures.append(error)
    return sent, failures


def ask(row: RecordingRecord, token: str | None) -> dict[str, Any]:
    """What the server that a recording was sent to says of it now, or under `error` why it does not."""
    try:
        answer = ask_state(row.recording, server_at(row.sent_to or "", token))
    except KinesphereError as error:
        return {"url": row.sent_to, "error": str(error)}
    return {"url": row.sent_to, **answer}


def withdraw(row: RecordingRecord, *, why: str, token: str | None) -> str:
    """Take a recording back from the server that has it; gives its state there: erased, or withdrawn until it is.

    Raises:
        StorageFailed: that server cannot be reached; nothing has changed.
    """
    assert row.sent_to is not None
    answer = withdraw_there(row.recording, server_at(row.sent_to, token), video_sha256=row.video_sha256, why=why)
    return str(answer.get("state"))


def end_begun(workspace: Workspace, row: RecordingRecord, *, token: str | None) -> None:
    """Let a server forget the part of a draft that it has. Where it cannot, say so: nobody can hand that part in."""
    try:
        end_upload(workspace, row.recording, token)
    except KinesphereError as error:
        say_error(f"a part of {row.recording} was sent, and is forgotten by the server within 14 days: {error}")


def say_answer(answer: dict[str, Any]) -> None:
    """Print what `ask` gave."""
    if "error" in answer:
        say(f"Sent to {answer['url']}; its state there is not known: {answer['error']}\n")
        return
    say(f"Sent to {answer['url']}, where it is: {answer.get('state')}")
    for review in answer.get("reviews", ()):
        say(f"A reviewer decided: {review.get('decision')}. {review.get('feedback')}")
    feedback = answer.get("feedback") or {}
    for advice in feedback.get("advice", ()):
        places = where([(int(start), int(end)) for start, end in advice.get("ranges", ())])
        if advice.get("what") or places:
            say(f"What: {advice.get('what') or 'see the video'}" + (f"; at {places}" if places else ""))
    if feedback.get("record_again"):
        say(f"Record it again with: {feedback['record_again']}")
    say("")
