"""The command `doctor`: what could be wrong with this computer, looked at piece by piece."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kinesphere.errors import InvalidInput, KinesphereError, needs_extra
from kinesphere.version import __version__
from studio.commands.options import JsonOption
from studio.commands.output import messages, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(doctor)


def doctor(
    workspace: Annotated[
        Path | None, typer.Argument(help="Also look at this workspace, and all that is in it.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read all bytes of the workspace and compare hashes.")] = False,
    mend: Annotated[
        bool, typer.Option("--repair", help="Remove what interrupted work has left; nothing that was confirmed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find out what is missing on this computer, and how to mend it.

    Of a workspace every catalog row, video, shard and version is looked at: what is missing, empty or cut short is
    named. --deep also finds what was changed.
    """
    if workspace is None and (deep or mend):
        raise InvalidInput("name the workspace to look at: kinesphere doctor PATH --deep")
    findings = examine(workspace)
    if workspace is not None and findings[-1].ok:
        findings += _content(workspace, deep=deep, mend=mend)
    if as_json:
        print_json(findings)
    else:
        print_table("Doctor", ["", "what", "finding"], [("ok" if f.ok else "!!", f.what, f.words) for f in findings])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    words: str


def examine(workspace: Path | None = None) -> list[Finding]:
    """Look at Python, the optional libraries, the models and the disk; and at a workspace, if one is given."""
    folder = workspace or Path.cwd()
    looks: list[tuple[str, Callable[[], str]]] = [
        ("kinesphere", lambda: f"{__version__} on Python {sys.version.split()[0]}"),
        ("video", _video),
        ("pose", _pose),
        ("models", _models),
        ("disk", lambda: _disk(folder)),
    ]
    if workspace is not None:
        looks.append(("workspace", lambda: _workspace(workspace)))
    return [_look(what, look) for what, look in looks]


def _look(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except KinesphereError as error:
        return Finding(what, False, str(error))


def _video() -> str:
    with needs_extra("capture"):
        import av
        import cv2
    return f"PyAV {av.__version__}, OpenCV {cv2.__version__}"


def _pose() -> str:
    with needs_extra("pose"):
        import mediapipe
        from mediapipe.tasks.python import vision

        vision.PoseLandmarker  # noqa: B018  the attribute loads the shared library
    return f"MediaPipe {mediapipe.__version__}"


def _models() -> str:
    from pose.networks.models import hand_model, pose_model

    return f"{pose_model().path}, {hand_model().path.name}"


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(folder if folder.exists() else Path.cwd()).free
    if free < 1 << 30:
        raise KinesphereError(f"only {free / 1e6:.0f} MB are free; an hour of video takes 1 to 2 GB")
    return f"{free / 1e9:.0f} GB free"


def _content(folder: Path, *, deep: bool, mend: bool) -> list[Finding]:
    """What is in a workspace; with `mend`, what was left by interrupted work is removed first."""
    from storage.inspection.leftovers import repair
    from storage.inspection.workspace_inspection import inspect
    from storage.workspace import open_workspace

    workspace = open_workspace(folder)
    try:
        with messages.status("Looking") as status:
            removed = repair(workspace) if mend else []
            found = inspect(workspace, deep=deep, on_step=lambda step: status.update(f"Looking at {step}"))
    finally:
        workspace.catalog.close()
    findings = [Finding(left.where, True, f"{left.words}; removed") for left in removed]
    advice = "; remove it with: kinesphere doctor PATH --repair"
    findings += [
        Finding(problem.what, False, problem.words + (advice if problem.is_repairable else ""))
        for problem in found.problems
    ]
    looked = f"{found.recordings} recordings, {found.shards} shards, {found.versions} versions"
    how = "every byte" if deep else "sizes and metadata; --deep reads every byte"
    wrong = f"{len(found.problems)} problems among" if found.problems else "all there:"
    return [*findings, Finding("content", not found.problems, f"{wrong} {looked} ({how})")]


def _workspace(folder: Path) -> str:
    from storage.workspace import open_workspace

    workspace = open_workspace(folder)
    try:
        recordings = workspace.catalog.recordings()
    finally:
        workspace.catalog.close()
    return f"'{workspace.name}' opens; {len(recordings)} recordings"
