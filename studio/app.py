"""The `kinesphere` command: one module a persona, assembled here, with one place that explains failures."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from kinesphere.errors import KinesphereError
from kinesphere.version import __version__
from studio.commands.contributors import calibrate as calibration
from studio.commands.contributors import contributor
from studio.commands.contributors import withdraw as withdraw_command
from studio.commands.operators import account as accounts_command
from studio.commands.operators import blur as blurring
from studio.commands.operators import erase as erasing
from studio.commands.operators import operators
from studio.commands.output import messages, print_json, say_error
from studio.commands.reviewers import check_list as checks_command
from studio.commands.reviewers import measure_gate as gate_commands
from studio.commands.reviewers import review_queue as reviewing
from studio.commands.teams import agreement_report as agreement_command
from studio.commands.teams import diversity_report as diversity_command
from studio.commands.teams import export as exporting
from studio.commands.teams import info as information
from studio.commands.teams import robotics

app = typer.Typer(
    name="kinesphere",
    help="Turn people's webcam recordings into training data for robots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn people's webcam recordings into training data for robots."""


contributor.register(app)
withdraw_command.register(app)
calibration.register(app)
blurring.register(app)
operators.register(app)
checks_command.register(app)
reviewing.register(app)
accounts_command.register(app)
gate_commands.add_to(checks_command.checks_app)
erasing.register(app)
robotics.register(app)
exporting.register(app)
information.register(app)
diversity_command.register(app)
agreement_command.register(app)


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
