"""Commands of contributors: cameras, record, import, submit, status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import Conflict, InvalidInput, KinesphereError
from kinesphere.objects.store import file_sha256
from storage.recordings.camera_calibration import read_camera
from storage.recordings.recording import Origin, RecordingFile, State
from studio.commands.contributors.calibrate import known_length
from studio.commands.contributors.consent_prompt import Agreement, Terms, ask_consent
from studio.commands.contributors.record import (
    ReplacesOption,
    catch_up,
    check_replaceable,
    record,
    say_feedback,
    say_take,
)
from studio.commands.options import (
    HERE,
    CalibrationOption,
    ContributorOption,
    HeightOption,
    InHandOption,
    JsonOption,
    ScopeOption,
    TaskOption,
    TokenOption,
    UntilOption,
    WorkspaceOption,
    YesOption,
    opened,
)
from studio.commands.output import print_json, print_table, progress, say, say_error

if TYPE_CHECKING:
    from storage.catalog import RecordingRecord
    from storage.recordings.camera_calibration import CameraCalibration, KnownLength
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(cameras)
    app.command()(record)
    app.command("import")(import_)
    app.command()(submit)
    app.command()(status)


def cameras(as_json: JsonOption = False) -> None:
    """List the cameras of this computer and what they can do."""
    from capture.sources.camera_modes import best_mode, list_modes
    from capture.sources.cameras import list_cameras
    from storage.tasks.criteria import Criteria

    found = [(camera, list_modes(camera.path)) for camera in list_cameras()]
    if as_json:
        print_json([asdict(camera) | {"modes": modes} for camera, modes in found])
    elif found:
        rows = [
            (camera.name, camera.id, len(modes), best_mode(modes, Criteria()) or "what it gives by itself")
            for camera, modes in found
        ]
        print_table("Cameras", ["name", "id", "modes", "used for most tasks"], rows)
        say('Record with one: kinesphere record --source "NAME" --task TASK --contributor YOU')
    else:
        say("No camera was found. Plug one in, or rehearse with --source test or --source file:CLIP.")


def import_(
    videos: Annotated[list[Path], typer.Argument(help="Video files of any kind: phone, GoPro, webcam.")],
    task: TaskOption,
    contributor: ContributorOption,
    calibration: CalibrationOption = None,
    height: HeightOption = None,
    in_hand: InHandOption = None,
    scope: ScopeOption = None,
    consent_until: UntilOption = None,
    replaces: ReplacesOption = None,
    yes: YesOption = False,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Bring in videos that were recorded elsewhere. Sound is left out; times and orientation are kept."""
    with opened(workspace) as place:
        if replaces is not None:
            check_replaceable(place, replaces, task, contributor, takes=len(videos))
        agreement = ask_consent(place, task, contributor, yes=yes, terms=Terms.of(scope, consent_until))
        length, results, failures = known_length(height, in_hand), [], []
        known = read_camera(place.objects, calibration) if calibration is not None else None
        for video in videos:
            try:
                results.append(
                    import_take(
                        place,
                        video,
                        task=task,
                        contributor=contributor,
                        agreement=agreement,
                        quiet=as_json,
                        calibration=known,
                        length=length,
                        replaces=replaces,
                    )
                )
            except (InvalidInput, Conflict) as error:
                if len(videos) == 1:
                    raise
                failures.append(error)
    if as_json:
        print_json({"recordings": results, "failures": [str(error) for error in failures]})
    else:
        for description in results:
            say_take(description)
    if failures:
        for failure in failures:
            say_error(failure)
        raise typer.Exit(1)


def import_take(
    workspace: Workspace,
    video: Path,
    *,
    task: str,
    contributor: str,
    agreement: Agreement,
    quiet: bool,
    calibration: CameraCalibration | None = None,
    length: KnownLength | None = None,
    replaces: str | None = None,
) -> RecordingFile:
    """Bring one video file into the outbox.

    Raises:
        Conflict: this contributor has imported this very file before.
        InvalidInput: the camera was calibrated for pictures of another shape.
    """
    from capture.drafts.outbox import take
    from capture.drafts.video_import import import_video

    if video.is_file():
        for earlier in workspace.catalog.recordings(contributor=contributor, source_sha256=file_sha256(video)):
            if earlier.state not in (State.WITHDRAWN, State.ERASED) and earlier.task == task:
                raise Conflict(f"{video.name} is here already, as recording {earlier.recording} ({earlier.state})")

    def capture(destination: Path) -> Origin:
        with progress(f"Importing {video.name}", None, quiet=quiet) as show:
            report = import_video(video, destination, on_progress=show)
        if calibration is not None:
            calibration.intrinsics(report.info.width, report.info.height)
        return Origin(
            kind="import",
            source_codec=report.source_codec,
            source_sha256=report.source_sha256,
            transcoded=report.transcoded,
            damaged_ns=report.damaged,
            calibration=calibration,
            known_length=length,
        )

    return take(
        workspace,
        kind="import",
        task=task,
        contributor=contributor,
        method=agreement.method,
        signed=agreement.signed,
        scopes=agreement.scopes,
        expires_at=agreement.expires_at,
        capture=capture,
        replaces=replaces,
    )


def submit(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which drafts; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Submit all drafts.")] = False,
    to: Annotated[str | None, typer.Option(help="URL of the server to send them to.", show_default="here")] = None,
    token: TokenOption = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Hand drafts in. After this they cannot be changed."""
    from capture.drafts.outbox import submit as submit_one
    from studio.commands.contributors import sending

    with opened(workspace) as place:
        catch_up(place, quiet=as_json)
        waiting_rows = {row.recording: row for row in place.catalog.recordings(State.DRAFT)}
        drafts = list(waiting_rows)
        if not recordings and not everything:
            waiting = ", ".join(drafts) or "there is none"
            raise InvalidInput(f"say which drafts to submit, or --all (waiting: {waiting})")
        chosen = drafts if everything else list(dict.fromkeys(recordings or []))
        if not as_json and chosen:
            _show_waiting(place, [waiting_rows[name] for name in chosen if name in waiting_rows], to)
        failures: list[KinesphereError] = []
        if to is not None:
            chosen, failures = sending.send_all(place, chosen, to=to, token=token, quiet=as_json)
        else:
            for recording in chosen:
                submit_one(place, recording)
    if as_json:
        print_json({"submitted": chosen} | ({"failures": [str(error) for error in failures]} if failures else {}))
    elif chosen:
        for recording in chosen:
            say(f"Submitted {recording}. Thank you!")
    elif not failures:
        say("There is nothing to submit.")
    if failures:
        for failure in failures:
            say_error(failure)
        raise typer.Exit(1)


def _show_waiting(workspace: Workspace, rows: Sequence[RecordingRecord], to: str | None) -> None:
    """Say what is about to be handed in."""
    videos = [workspace.drafts / row.recording / "video.mp4" for row in rows]
    sizes = [video.stat().st_size if video.exists() else 0 for video in videos]  # submitting says what is missing
    cells = [
        (row.recording, row.task, f"{row.duration_ns / 1e9:.1f} s", f"{size / 1e6:.1f} MB")
        for row, size in zip(rows, sizes, strict=True)
    ]
    print_table(f"To {to or 'this workspace'}", ["recording", "task", "length", "size"], cells)


def status(
    recording: Annotated[str | None, typer.Argument(help="One recording, in detail.")] = None,
    token: TokenOption = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show where recordings are, and what the checks and reviewers said."""
    with opened(workspace) as place:
        recovered = catch_up(place, quiet=as_json)
        if recording is not None:
            _show_recording(place, recording, token=token, as_json=as_json)
            return
        rows = place.catalog.recordings()
        if as_json:
            print_json({"workspace": place.name, "recordings": rows, "recovered": recovered})
        elif not rows:
            say("No recordings yet. Make one with: kinesphere record --task TASK --contributor YOU")
        else:
            print_table("Recordings", *_recordings_table(rows))
            replaced = {row.replaces for row in rows if row.state not in (State.WITHDRAWN, State.ERASED)}
            for row in rows:
                if row.state is State.RETURNED and row.recording not in replaced:
                    say(f"{row.recording} was returned to you; how to do better: kinesphere status {row.recording}")
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
