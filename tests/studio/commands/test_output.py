"""What the command prints, and what it keeps off the screen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kinesphere.errors import InvalidInput
from storage.recordings.recording import State
from studio.commands.output import SafeConsole, print_json, print_table, progress, say, say_error, steps
from tests.support.preloaded_command import ROOT


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


HOSTILE = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;a window's title\x07",
    "\x1b]8;;https://evil.example\x1b\\\\a link\x1b]8;;\x1b\\\\",
    "\x9b31mred",
    "over\rwritten\b\x7f",
    "[red]markup[/red] [/] :warning: \\",
    "gpj.\u202eexe",
    "\udcff undecodable",
]
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_reaches_a_terminal_as_text_alone(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    say(text)
    say_error(InvalidInput(f"no file '{text}'"))
    print_table(text, [text, "b"], [[text, 1], ["c", text]])
    print_json({"title": text, text: [text]})
    with progress(text, 3, quiet=False) as show, steps(text):
        show(1, title=text)
    out, errors = capfd.readouterr()
    assert not _COMMANDS.search(out + errors), (out, errors)
    for part in re.findall(r"[a-z]{3,}|\[red\]markup\[/red\] \[/\] :warning:", text):
        assert part in out and part in errors
    document = out[out.index("{\n") :]
    assert json.loads(document) == {"title": text, text: [text]}


@pytest.mark.parametrize("text", [HOSTILE[0], HOSTILE[3]])
def test_a_terminal_gets_no_command_from_names_that_somebody_typed(text: str, tmp_path: Path) -> None:
    for words in ([f"--{text}"], ["info", text, "-w", text]):
        done = subprocess.run(
            [sys.executable, "-m", "studio", *words], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode in (1, 2) and "red" in done.stderr
        assert not _COMMANDS.search(done.stdout + done.stderr), done


WORDS = st.text("abcdeü漢 ", min_size=0, max_size=40).map(lambda text: " ".join(text.split()))


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(WORDS, min_size=n, max_size=n), min_size=1, max_size=4)),
       st.integers(10, 120))  # fmt: skip
def test_a_table_is_no_wider_than_the_terminal_unless_its_words_are(rows: list[list[str]], room: int) -> None:
    with pytest.MonkeyPatch.context() as patch, StringIO() as shown:
        patch.setattr("studio.commands.output.console", SafeConsole(width=room))
        patch.setenv("COLUMNS", str(room))
        patch.setattr("sys.stdout", shown)
        print_table("", rows[0], rows[1:])
        lines = shown.getvalue().splitlines()
    for word in (word for row in rows for cell in row for word in cell.split() if cell_len(word) <= 30):
        assert any(word in line for line in lines), (word, lines)
    words = [[cell_len(word) for row in rows for word in row[index].split()] for index in range(len(rows[0]))]
    needed = sum(max(lengths, default=1) for lengths in words) + 2 * (len(words) - 1)
    assert max(cell_len(line) for line in lines) <= max(room, needed)


def test_in_a_pipe_each_row_is_one_line_however_long() -> None:
    rows = [["some words", "x" * 60, "and much more to say about it, " * 5], ["b", "c", "d"]]
    code = (
        f"from studio.commands.output import print_table; print_table('t', ['one two', 'id', 'why it is so'], {rows!r})"
    )
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
    _, heading, first, second = done.stdout.splitlines()
    assert heading.split() == ["one", "two", "id", "why", "it", "is", "so"]
    assert first.split() == " ".join(rows[0]).split() and second.split() == rows[1]


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
from kinesphere.errors import KinesphereError
from studio.commands.output import native_logs_aside
sys.stderr.write("before\\n")
with native_logs_aside():
    os.write(2, b"from C\\n")
    sys.stderr.write("from python\\n")
    {ending}
os.write(2, b"after\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.split("Traceback")[0] == shown
