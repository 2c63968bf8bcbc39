"""What the command prints: tables and progress for people, one JSON document for machines."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console(highlight=False)
messages = Console(stderr=True, highlight=False)
"""Progress and errors go to stderr, so that stdout stays clean for pipes."""


def print_json(value: Any) -> None:
    """Print dataclasses, dates, paths and plain values as one JSON document."""
    sys.stdout.write(json.dumps(value, default=_plain, indent=2, ensure_ascii=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells are shown as they are, never read as markup."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print(table)


def say(text: str) -> None:
    """Print one line for people."""
    console.print(escape(text), soft_wrap=True)


@contextmanager
def progress(title: str, total: float | None, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on stderr while the block runs; gives a function that sets how much is done."""
    if quiet:
        yield lambda done: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=messages, transient=False) as bar:
        task = bar.add_task(escape(title), total=total)
        yield lambda done: bar.update(task, completed=done)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
