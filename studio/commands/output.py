"""What the command prints: tables and progress for people, one JSON document for machines.

All of it goes through here, and nothing that others wrote reaches a terminal as a command or is read as markup.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import typer
from pydantic import BaseModel
from rich import progress as bars
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kinesphere.errors import KinesphereError
from studio.event_log import note, writes_json
from studio.printable_text import printable, printable_json


class SafeConsole(Console):
    """A console that shows text as it is: markup, emoji names and control characters in it mean nothing.

    Args:
        stderr: whether it prints to stderr.
        width: in characters; by default the terminal's.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich's, of which everything that is printed comes; what rich itself tells the terminal stays.

        Args:
            renderable: what to print.
            options: how wide.

        Yields:
            Pieces of text.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


console = SafeConsole()
messages = SafeConsole(stderr=True)
"""Progress and errors go to stderr, so that stdout stays clean for pipes."""
_BETWEEN = 2
"""Blanks that rich puts between two columns."""
_LONGEST_WORD = 30
"""A longer word of a sentence may be folded in a table, like a path that would leave no room for the rest."""
_UNBOUNDED = 10_000
"""Wider than any table, in characters."""


def print_json(value: Any) -> None:
    """Print dataclasses, models, dates, paths and plain values as one JSON document."""
    sys.stdout.write(printable_json(json.dumps(value, default=_plain, indent=2, ensure_ascii=False)) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells are shown as they are, never read as markup, and nothing of them is cut off.

    On a terminal it is as narrow as it must be and can be: sentences and headings are folded between words. In a pipe
    or a file each row is one line, unless `COLUMNS` says how wide lines may be.
    """
    table = Table(title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    table.title = Text(printable(title)) if title else None
    columns = [printable(column) for column in columns]
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    texts = [[column, *(row[index] for row in cells)] for index, column in enumerate(columns)]
    is_free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    room = _UNBOUNDED if is_free else console.width
    between = _BETWEEN * (len(columns) - 1)
    widths = _widths(texts, room - between)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text(column), overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    SafeConsole(width=max(room, sum(widths) + between)).print(table)


def _widths(texts: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide columns are that hold these headings and cells: together no wider than the room where that can be.

    Ids stay in one piece, so that they can be copied; sentences and headings may be folded between words.
    """
    widths, narrowest = [], []
    for heading, *cells in texts:
        longest_word = max((cell_len(word) for text in (heading, *cells) for word in text.split()), default=0)
        holds_sentences = any(" " in cell for cell in cells)
        narrowest.append(min(longest_word, _LONGEST_WORD) if holds_sentences else longest_word)
        widths.append(max((cell_len(line) for text in (heading, *cells) for line in text.splitlines()), default=1))
    while sum(widths) > room:
        foldable = [index for index, width in enumerate(widths) if width > narrowest[index]]
        if not foldable:
            break
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths


def say(text: str) -> None:
    """Print one line for people."""
    console.print(Text(printable(text)), soft_wrap=True)


def confirm(question: str) -> bool:
    """Ask for a yes or no; Enter is no."""
    return typer.confirm(printable(question))


def say_error(text: object) -> None:
    """Print what went wrong as one line on stderr, whatever line breaks and markup it holds; or log it, if all is."""
    if writes_json():
        note("command failed", level=logging.ERROR, reason=" ".join(str(text).split()))
        return
    messages.print(Text.assemble(("error: ", "bold red"), printable(" ".join(str(text).split()))), soft_wrap=True)


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr that something goes on while the block runs; gives a function that tells with what."""
    with messages.status(Text(title)) as status:
        yield lambda step: status.update(Text(printable(step)))


class Progress(Protocol):
    """Moves a progress bar to `done`; `total` and `title` change it where they are given."""

    def __call__(self, done: float, total: float | None = None, title: str | None = None) -> None: ...


@contextmanager
def progress(title: str, total: float | None, *, quiet: bool) -> Iterator[Progress]:
    """Show a progress bar on stderr while the block runs; gives a function that moves it."""
    if quiet:
        yield lambda done, total=None, title=None: None
        return
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(elapsed_when_finished=True),
    )
    with bars.Progress(*columns, console=messages, transient=False) as bar:
        task = bar.add_task(printable(title), total=total)

        def show(done: float, total: float | None = None, title: str | None = None) -> None:
            bar.update(task, completed=done, total=total, description=None if title is None else printable(title))

        yield show


@contextmanager
def native_logs_aside() -> Iterator[None]:
    """Keep what C++ libraries write to stderr off the screen within the block; Python's own messages still come.

    MediaPipe 1.2 logs to file descriptor 2 and no setting stops it. After an error that we cannot explain, what it
    wrote is shown after all.
    """
    sys.stderr.flush()
    before = sys.stderr
    with tempfile.TemporaryFile("w+") as log, os.fdopen(os.dup(2), "w", buffering=1) as people:
        os.dup2(log.fileno(), 2)
        sys.stderr = people
        try:
            yield
        except (KinesphereError, KeyboardInterrupt):
            raise
        except BaseException:
            log.seek(0)
            people.write(printable(log.read()))
            raise
        finally:
            people.flush()
            os.dup2(people.fileno(), 2)
            sys.stderr = before


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
