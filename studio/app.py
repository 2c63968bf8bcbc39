"""The `kinesphere` command: assembled from one module for each command, with one place that explains failures."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kinesphere.errors import KinesphereError
from kinesphere.version import __version__
from studio.commands import demo_command
from studio.commands.contributors import (
    calibrate_command,
    cameras_command,
    import_command,
    record_command,
    status_command,
    submit_command,
    withdraw_command,
)
from studio.commands.operators import (
    account_command,
    backup_command,
    blur_command,
    contributor_command,
    doctor_command,
    erase_command,
    init_command,
    process_command,
    rebuild_command,
    restore_command,
    serve_command,
    task_command,
)
from studio.commands.output import messages, print_json, say_error
from studio.commands.reviewers import checks_command, review_command
from studio.commands.teams import (
    agreement_command,
    bench_command,
    diff_command,
    diversity_command,
    export_command,
    info_command,
    publish_command,
    versions_command,
)
from studio.printable_text import printable


class _Commands(TyperGroup):
    """Refuses wrong usage as Typer does; what was typed, e.g. names of files out of a `*`, is not printed raw."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with _printable_refusals():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with _printable_refusals():
            return super().invoke(ctx)


@contextmanager
def _printable_refusals() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "message"):  # whose class Typer keeps to itself
            error.message = printable(str(error.message))
        raise


app = typer.Typer(
    name="kinesphere",
    cls=_Commands,
    help="Turn people's webcam recordings into training data for robots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn people's webcam recordings into training data for robots."""


# In the order in which `--help` lists them.
for _command in (
    cameras_command,
    record_command,
    import_command,
    submit_command,
    status_command,
    withdraw_command,
    calibrate_command,
    blur_command,
    init_command,
    task_command,
    contributor_command,
    process_command,
    serve_command,
    doctor_command,
    backup_command,
    restore_command,
    rebuild_command,
    demo_command,
    checks_command,
    review_command,
    account_command,
    erase_command,
    publish_command,
    versions_command,
    diff_command,
    bench_command,
    export_command,
    info_command,
    diversity_command,
    agreement_command,
):
    _command.register(app)


def main() -> None:
    """Run the command; every failure that we explain is one line on stderr and exit code 1."""
    # Before NumPy is loaded. Our matrices are small: threads that wait for the next one burn ten times what it takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except SystemExit as ending:
        if ending.code == 130:  # Typer's, after Ctrl-C
            messages.print("Interrupted. Nothing is half-written; run the command again to go on.")
        raise
    except KinesphereError as error:
        _explain(str(error), type(error).__name__)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        _explain(
            f"{error.filename or 'the disk'}: {str(error.strerror).lower()}; free some space or check permissions",
            "OSError",
        )


def _explain(text: str, kind: str) -> None:
    line = " ".join(text.split())
    if "--json" in sys.argv:
        print_json({"error": line, "kind": kind})
    say_error(line)
    raise SystemExit(1)
