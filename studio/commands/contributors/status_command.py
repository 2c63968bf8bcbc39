"""The command `status`: where recordings are, and what the checks and reviewers said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from storage.recordings.recording import State
from studio.commands.contributors.draft_takes import catch_up, say_feedback
from studio.commands.options import HERE, JsonOption, TokenOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from storage.catalog import RecordingRecord
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(status)


def status(
    recording: Annotated[str | None, typer.Argument(help="One recording, in detail.")] = None,
    token: TokenOption = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show where recordings are, and what the checks and reviewers said."""
    from storage.catalog import FailedTries

    with opened(folder) as workspace:
        recovered = catch_up(workspace, quiet=as_json)
        if recording is not None:
            _show_recording(workspace, recording, token=token, as_json=as_json)
            return
        rows = workspace.catalog.recordings()
        if as_json:
            print_json({"workspace": workspace.name, "recordings": rows, "recovered": recovered})
        elif not rows:
            say("No recordings yet. Make one with: kinesphere record --task TASK --contributor YOU")
        else:
            print_table("Recordings", *_recordings_table(rows))
            replaced = {row.replaces for row in rows if row.state not in (State.WITHDRAWN, State.ERASED)}
            for row in rows:
                if row.state is State.RETURNED and row.recording not in replaced:
                    say(f"{row.recording} was returned to you; how to do better: kinesphere status {row.recording}")
            tries = FailedTries(workspace.catalog)
            for name, why in (tries.waiting() | tries.unprocessed()).items():
                say(f"{name} could not be processed: {why}")
            for url in sorted({row.sent_to for row in rows if row.sent_to}):
                say(f"Sent to {url}: {', '.join(row.recording for row in rows if row.sent_to == url)}")


def _recordings_table(rows: Sequence[RecordingRecord]) -> tuple[list[str], list[tuple[object, ...]]]:
    """Columns and cells; which take replaces which is shown where any does."""
    columns = ["recording", "state", "task", "contributor", "length", "frames"]
    cells: list[tuple[object, ...]] = [
        (row.recording, row.state, row.task, row.contributor, f"{row.duration_ns / 1e9:.1f} s", row.frames)
        for row in rows
    ]
    if any(row.replaces for row in rows):
        columns.append("replaces")
        cells = [(*cell, row.replaces or "") for cell, row in zip(cells, rows, strict=True)]
    return columns, cells


def _show_recording(workspace: Workspace, recording: str, *, token: str | None, as_json: bool) -> None:
    from annotate.checks.findings import finding_and_advice
    from annotate.gate.feedback import feedback_on, where
    from studio.commands.contributors import sending

    catalog = workspace.catalog
    row, events = catalog.recording(recording), catalog.events(recording)
    checks, reviews = catalog.checks(recording), catalog.reviews(recording)
    feedback = feedback_on(catalog, recording)
    far = sending.ask(row, token) if row.sent_to else None
    if as_json:
        shown = {"recording": row, "events": events, "checks": checks, "reviews": reviews, "feedback": feedback}
        print_json(shown | ({"server": far} if far else {}))
        return
    say(f"{row.recording}: {row.state}. Task {row.task} (version {row.task_version}), contributor {row.contributor},")
    size = f"{row.width}x{row.height}"
    say(f"{row.duration_ns / 1e9:.1f} s, {row.frames} frames, {size} at {row.frame_rate:.1f} frames/s\n")
    if far is not None:
        sending.say_answer(far)
    if checks:
        advised = {name for advice in feedback.advice for name in advice.named}
        cells = [
            (
                check.check,
                check.verdict,
                where(check.ranges),
                finding_and_advice(check.message)[0] if check.check in advised else check.message,
            )
            for check in checks
        ]
        print_table("Checks", ["check", "verdict", "where", "finding"], cells)
        say("")
    say_feedback(feedback)
    if row.state is State.FLAGGED and reviews:  # whoever is asked next should not know what others said
        say(f"Opinions so far: {len(reviews)}; another reviewer is asked.\n")
    for review in reviews if row.state is not State.FLAGGED else ():
        say(f"{review.reviewer} decided: {review.decision}. {review.feedback}\n")
    moments = [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.to_state, e.who, e.why) for e in events]
    print_table("Events", ["when (UTC)", "became", "who", "why"], moments)
