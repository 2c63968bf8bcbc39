"""Options and arguments that several commands share, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput
from studio.event_log import LogForm

if TYPE_CHECKING:
    from storage.workspace import Workspace

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace", "-w", envvar="KINESPHERE_WORKSPACE", help="Folder of the workspace.", show_default="here"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ReplacesOption = Annotated[str | None, typer.Option(help="The returned recording that this take replaces.")]
YesOption = Annotated[bool, typer.Option("--yes", help="The contributor has agreed to the task's consent text.")]
TaskOption = Annotated[str, typer.Option("--task", "-t", help="What is recorded; see: kinesphere task list")]
ContributorOption = Annotated[str, typer.Option("--contributor", "-c", help="Who records: their pseudonymous id.")]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help="What the contributor consents to: train, share_keypoints, share_video; once for each.",
        show_default="what the task requires",
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option("--consent-until", formats=["%Y-%m-%d"], help="Last day of the consent, if it has one."),
]
CalibrationOption = Annotated[
    str | None, typer.Option(help="The calibrated camera it was recorded with.", show_default="known by its device")
]
HeightOption = Annotated[
    float | None,
    typer.Option(
        envvar="KINESPHERE_HEIGHT", help="The contributor's height in metres, in shoes: makes lengths metric. Optional."
    ),
]


class InHand(StrEnum):
    """What of known size the contributor holds at the beginning."""

    board = "board"
    a4 = "a4"
    letter = "letter"


InHandOption = Annotated[
    InHand | None, typer.Option(help="The calibration board or the sheet held by its edge in the first 10 seconds.")
]
PoseModelOption = Annotated[
    Path | None, typer.Option(help="Your own pose landmarker .task file; for rtmw a whole-body network's .onnx file.")
]
PersonModelOption = Annotated[
    Path | None, typer.Option(help="For rtmw: a YOLOX .onnx file, to find the person where the picture is wide.")
]
HandModelOption = Annotated[Path | None, typer.Option(help="Your own hand landmarker .task file.")]
TokenOption = Annotated[
    str | None, typer.Option(envvar="KINESPHERE_TOKEN", help="Token of the server, as its operator gave it to you.")
]
LogOption = Annotated[
    LogForm,
    typer.Option(
        "--log", envvar="KINESPHERE_LOG", help="How stderr tells what happens: warnings as text, or all as JSON lines."
    ),
]
HERE = Path()


@contextmanager
def opened(folder: Path, *, for_others: bool = False) -> Iterator[Workspace]:
    """Open the workspace that `--workspace` names, for the length of a command.

    Args:
        folder: the workspace's.
        for_others: whether the command writes what leaves the workspace, and is for whom the user's umask says. All
            other files are for their owner only.

    Yields:
        The workspace.
    """
    from storage.workspace import open_workspace, private_files  # SQLAlchemy is not needed for --help

    with nullcontext() if for_others else private_files():
        workspace = open_workspace(folder)
        try:
            yield workspace
        finally:
            workspace.catalog.close()


def parse_dataset(text: str) -> tuple[str, int | None]:
    """Split `NAME@N` into name and version; no `@N` means the newest.

    Raises:
        InvalidInput: what follows the `@` is not a version's number.
    """
    match = re.fullmatch(r"([^@]+)(?:@([1-9]\d{0,8}))?", text)
    if match is None:
        raise InvalidInput(f"'{text}' names no version; write NAME for the newest, or NAME@3")
    return match[1], int(match[2]) if match[2] else None
