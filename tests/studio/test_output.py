"""What the command prints, and what it keeps off the screen."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.recording import State
from studio.output import print_json, print_table
from tests.preloaded import ROOT


@dataclass(frozen=True)
class Thing:
    name: str
    state: State
    at: datetime
    place: Path
    ranges: tuple[tuple[int, int], ...]


def test_json_is_one_document_of_plain_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Thing("ü", State.FLAGGED, datetime(2026, 1, 2, tzinfo=UTC), Path("a/b"), ((1, 2),))])
    (thing,) = json.loads(capsys.readouterr().out)
    assert thing == {
        "name": "ü",
        "state": "flagged",
        "at": "2026-01-02T00:00:00+00:00",
        "place": "a/b",
        "ranges": [[1, 2]],
    }


def test_cells_of_a_table_are_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[bold]title[/bold]", ["name"], [["[red]feedback[/red] [link"]])
    shown = capsys.readouterr().out
    assert "[red]feedback[/red] [link" in shown and "[bold]title[/bold]" in shown


@pytest.mark.parametrize(
    ("ending", "shown"),
    [
        ("pass", "before\nfrom python\nafter\n"),
        ("raise KinesphereError('explained')", "before\nfrom python\n"),
        ("raise RuntimeError('a bug')", "before\nfrom python\nfrom C\n"),
    ],
)
def test_native_logs_are_shown_only_after_an_error_that_nobody_explained(ending: str, shown: str) -> None:
    code = f"""
import os, sys
from storage.errors import KinesphereError
from studio.output import native_logs_aside
sys.stderr.write("before\\n")
with native_logs_aside():
    os.write(2, b"from C\\n")
    sys.stderr.write("from python\\n")
    {ending}
os.write(2, b"after\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.split("Traceback")[0] == shown
