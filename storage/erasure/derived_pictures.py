"""Drawings: films and pictures made of a recording beside a workspace, such as the demo's; a note says of which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from kinesphere.objects.local_files import delete_file, write_whole
from storage.erasure.withdrawn_versions import Departed
from storage.workspace import Workspace

NOTE = "drawings.json"


def note_drawings(workspace: Workspace, files: Sequence[Path], *, recording: str, contributor: str) -> None:
    """Write down, before they are drawn, that files in the workspace's folder show a recording.

    Args:
        workspace: an open workspace.
        files: paths of pictures or videos.
        recording: id of the recording that they show.
        contributor: pseudonymous id of the person whom they show.
    """
    known = _known(workspace)
    known |= {file.name: {"recording": recording, "contributor": contributor} for file in files}
    _write(workspace, known)


def drawings_of(workspace: Workspace, departed: Departed) -> Iterator[Path]:
    """The files that show those who leave."""
    for name, shown in _known(workspace).items():
        if shown["recording"] in departed.recordings or shown["contributor"] == departed.contributor:
            yield workspace.folder / name


def delete_drawings(workspace: Workspace, departed: Departed) -> None:
    """Delete what `drawings_of` finds, and what the note says of it."""
    drawings = list(drawings_of(workspace, departed))
    for file in drawings:
        file.unlink(missing_ok=True)
    if drawings:
        names = {file.name for file in drawings}
        _write(workspace, {name: shown for name, shown in _known(workspace).items() if name not in names})


def _known(workspace: Workspace) -> dict[str, dict[str, str]]:
    try:
        known: dict[str, dict[str, str]] = json.loads((workspace.folder / NOTE).read_text())
    except FileNotFoundError:
        return {}
    return known


def _write(workspace: Workspace, known: dict[str, dict[str, str]]) -> None:
    file = workspace.folder / NOTE
    if not known:
        delete_file(file)
        return
    write_whole(file, (json.dumps(known, indent=2) + "\n").encode())
