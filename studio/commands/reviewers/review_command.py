"""The command `review`: the queue of doubted recordings, one at a time at a terminal, or for scripts."""

from __future__ import annotations

import getpass
import sys
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinesphere.errors import Conflict, InvalidInput
from studio.commands.contributors.keyboard import keyboard
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say, say_error

if TYPE_CHECKING:
    from annotate.gate.review import ReviewEvidence
    from storage.catalog import ReviewRecord
    from storage.workspace import Workspace


class Decision(StrEnum):
    """What a reviewer may decide."""

    accept = "accept"
    return_ = "return"
    reject = "reject"


KEYS = {"a": Decision.accept, "t": Decision.return_, "r": Decision.reject}


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(review)


def review(
    recording: Annotated[str | None, typer.Argument(help="The recording to look at or decide on.")] = None,
    decision: Annotated[Decision | None, typer.Option(help="What to do with it.")] = None,
    feedback: Annotated[str, typer.Option(help="What the contributor should know or do better.")] = "",
    template: Annotated[
        list[str] | None, typer.Option(help="A check (or a text of the task) whose advice the contributor gets.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", help="Where in the video, in seconds: 12.5-14.", show_default="the named checks'"),
    ] = None,
    following: Annotated[bool, typer.Option("--next", help="Look at what has waited longest.")] = False,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only of this task.")] = None,
    language: Annotated[str | None, typer.Option(help="Only of tasks in this language, e.g. pt.")] = None,
    give_back: Annotated[bool, typer.Option("--release", help="Give back what you look at.")] = False,
    mark_gold: Annotated[
        str | None,
        typer.Option(help="Measure reviewers by this recording: its decision is right.", metavar="RECORDING"),
    ] = None,
    unmark_gold: Annotated[
        str | None, typer.Option(help="Measure reviewers by it no more.", metavar="RECORDING")
    ] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who reviews.", show_default="your login")] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List what waits for review, look at the next with --next, or decide on one of them.

    What you look at is yours for 30 minutes; ask again with --next and you get the same one. At a terminal one key
    decides; with --json the evidence is printed and you decide with: kinesphere review RECORDING --decision ...
    """
    who = reviewer or getpass.getuser()
    asked = [recording is not None, following, give_back, mark_gold is not None, unmark_gold is not None]
    if sum(asked) > 1:
        raise InvalidInput("name a recording, or give one of --next, --release, --mark-gold and --unmark-gold")
    if recording is None and (decision is not None or feedback or template or ranges):
        raise InvalidInput("say which recording to decide on: kinesphere review RECORDING --decision ...")
    spans = [seconds_range(text) for text in ranges or ()]
    with opened(folder) as workspace:
        if recording is not None and decision is not None:
            _say_decided(_decide(workspace, recording, decision, who, feedback, template or [], spans), as_json=as_json)
        elif recording is not None or following:
            if feedback or template or spans:
                raise InvalidInput(f"say what to do with {recording}: --decision accept, return or reject")
            _look(workspace, who, recording, task=task, language=language, as_json=as_json)
        elif give_back:
            _release(workspace, who, as_json=as_json)
        elif mark_gold is not None or unmark_gold is not None:
            _gold(workspace, mark_gold, unmark_gold, who, decision, as_json=as_json)
        else:
            _list(workspace, task=task, language=language, as_json=as_json)


def seconds_range(text: str) -> tuple[int, int]:
    """`12.5-14` as nanoseconds.

    Raises:
        InvalidInput: it has another form.
    """
    try:
        start, end = (round(float(part) * 1e9) for part in text.split("-"))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"'{text[:40]}' is no range: give two times in seconds, e.g. --range 12.5-14") from error
    return start, end


def _list(workspace: Workspace, *, task: str | None, language: str | None, as_json: bool) -> None:
    from storage.catalog import FailedTries, Reviews

    queue = Reviews(workspace.catalog).queue(task=task, language=language)
    failures = FailedTries(workspace.catalog).unprocessed()
    checks = {row.recording.recording: workspace.catalog.checks(row.recording.recording) for row in queue}
    if as_json:
        print_json(
            [
                {
                    "recording": row.recording,
                    "checks": checks[row.recording.recording],
                    "failure": failures.get(row.recording.recording),
                    "reasons": row.reasons,
                    "asked_at": row.asked_at,
                    "opinions": row.opinions,
                    "leased_by": row.leased_by,
                    "leased_until": row.leased_until,
                }
                for row in queue
            ]
        )
        return
    if not queue:
        say("Nothing waits for review.")
        return
    now = datetime.now(UTC)
    cells = [
        (
            row.recording.recording,
            row.recording.task,
            _age(now - row.asked_at),
            ", ".join(row.reasons),
            row.leased_by or "",
            failures.get(row.recording.recording)
            or "; ".join(check.message for check in checks[row.recording.recording] if check.verdict == "doubt"),
        )
        for row in queue
    ]
    print_table("Waiting for review, oldest first", ["recording", "task", "waits", "why", "with", "doubts"], cells)
    say("Look at the next: kinesphere review --next")
    say("Or decide with: kinesphere review RECORDING --decision accept|return|reject --template CHECK --feedback TEXT")


def _look(
    workspace: Workspace, who: str, recording: str | None, *, task: str | None, language: str | None, as_json: bool
) -> None:
    """Show one recording; at a terminal, ask for a key, and go on with the next."""
    from annotate.gate.review import next_to_review, release, take_for_review

    past: list[str] = []
    while True:
        if recording is not None:
            found: ReviewEvidence | None = take_for_review(workspace, recording, who)
        else:
            found = next_to_review(workspace, who, task, language, past=past)
        if as_json:
            print_json(found)
            return
        if found is None:
            say("Nothing waits for you." if not past else "Nothing else waits for you.")
            return
        show(found)
        if not sys.stdin.isatty():
            say(f"Decide with: kinesphere review {found.recording} --decision accept|return|reject --reviewer {who}")
            return
        key = _key()
        if key == "q":
            release(workspace, who)
            say("Given back. Thank you!")
            return
        if key == "s":
            past.append(found.recording)
            release(workspace, who)
        else:
            _decide_at_terminal(workspace, found, KEYS[key], who)
        if recording is not None:
            return


def _decide_at_terminal(workspace: Workspace, found: ReviewEvidence, decision: Decision, who: str) -> None:
    words, named, spans = "", list[str](), list[tuple[int, int]]()
    if decision is not Decision.accept:
        words, named = _ask_why(found)
        spans = _ask_where() if words or named else []
        if not words and not named:
            say("Nothing was decided: the contributor needs to know why.")
            return
    try:
        _say_decided(_decide(workspace, found.recording, decision, who, words, named, spans), as_json=False)
    except (Conflict, InvalidInput) as error:  # decided or taken back meanwhile, or a range beyond its end
        say_error(error)


def _ask_why(found: ReviewEvidence) -> tuple[str, list[str]]:
    """Let the reviewer choose advice by number or name, and add words of their own."""
    doubted = [one.check for one in found.findings if one.verdict != "pass" and one.check in found.templates]
    names = doubted + [name for name in found.beyond_checks if name not in doubted]
    for number, name in enumerate(names, 1):
        say(f"  {number:2}  {name}: {found.templates[name]}")
    numbered = {str(number): name for number, name in enumerate(names, 1)}
    while True:
        asked = "Which advice (numbers, or names of other checks; Enter: none)"
        typed: str = typer.prompt(asked, default="", show_default=False)
        chosen = [numbered.get(part, part) for part in typed.replace(",", " ").split()]
        if all(name in found.templates for name in chosen):
            break
        say(f"Give numbers from 1 to {len(names)}, or any of: {', '.join(found.templates)}")
    words: str = typer.prompt("In your own words (Enter: nothing more)", default="", show_default=False)
    return words.strip(), chosen


def _ask_where() -> list[tuple[int, int]]:
    while True:
        asked = "Where, in seconds, e.g. 12.5-14 (Enter: where the checks found it)"
        typed: str = typer.prompt(asked, default="", show_default=False)
        try:
            return [seconds_range(text) for text in typed.replace(",", " ").split()]
        except InvalidInput as error:
            say_error(error)


def _key() -> str:
    with keyboard() as keys:
        say("a: accept   t: return with feedback   r: reject   s: skip   q: quit")
        while True:
            for key in keys.pressed():
                if key in (*KEYS, "s", "q"):
                    return key
            time.sleep(0.05)


def show(found: ReviewEvidence) -> None:
    """Print what is known of a recording beside its video."""
    from annotate.gate.feedback import clock_time, where

    say(f"\n{found.recording}: {found.title} ({found.task}, {found.language}), {clock_time(found.duration_ns)} long")
    say(f"{found.instructions}\n")
    cells = [
        (one.check, one.verdict, f"{one.value:.4g}", f"{one.doubt:g} / {one.fail:g}", where(one.ranges), one.message)
        for one in found.findings
    ]
    if found.failure is not None:
        say(f"It could not be processed: {found.failure}")
    else:
        print_table("Checks", ["check", "verdict", "value", "doubt / fail", "where", "finding"], cells)
    say(f"Video: {found.video}")
    for command in found.open_at:
        say(f"  {command}")
    say(f"It is yours until {found.until:%H:%M} UTC.")


def _decide(
    workspace: Workspace,
    recording: str,
    decision: Decision,
    who: str,
    words: str,
    named: list[str],
    ranges: list[tuple[int, int]],
) -> ReviewRecord:
    from annotate.gate.review import decide

    return decide(workspace, recording, decision.value, reviewer=who, words=words, named=named, ranges=ranges)


def _say_decided(review: ReviewRecord, *, as_json: bool) -> None:
    # why they were asked stays unsaid: it may have been a test
    if as_json:
        shown: dict[str, Any] = {
            name: getattr(review, name) for name in ("recording", "reviewer", "decision", "feedback", "named", "ranges")
        }
        print_json({**shown, "at": review.at})
    else:
        say(f"Recording {review.recording}: {review.decision}.")


def _release(workspace: Workspace, who: str, *, as_json: bool) -> None:
    from annotate.gate.review import release

    given_back = release(workspace, who)
    if as_json:
        print_json({"released": given_back})
    else:
        say(f"Given back {given_back}." if given_back else f"{who} looks at nothing.")


def _gold(
    workspace: Workspace, mark: str | None, unmark: str | None, who: str, decision: Decision | None, *, as_json: bool
) -> None:
    from storage.catalog import GoldRecordings

    if mark is not None:
        made = GoldRecordings(workspace.catalog).mark(mark, who=who, decision=decision.value if decision else None)
        if as_json:
            print_json(made)
        else:
            say(f"Reviewers are measured by {made.recording} from now on; the right answer: {made.decision}.")
        return
    was_marked = GoldRecordings(workspace.catalog).unmark(unmark or "")
    if as_json:
        print_json({"recording": unmark, "was_marked": was_marked})
    else:
        say(f"Nobody is measured by {unmark} {'any more' if was_marked else 'anyway'}.")


def _age(waiting: timedelta) -> str:
    minutes = max(0, int(waiting.total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
