"""Consent: the task is shown, its text is agreed to, and who agreed how is kept with the take."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from storage.errors import InvalidInput

from .output import say

if TYPE_CHECKING:
    from storage.workspace import Workspace


@dataclass(frozen=True)
class Agreement:
    """How a contributor agreed to a task's consent text."""

    method: Literal["typed", "flag"]
    signed: str = ""
    """The name or initials that they typed."""


def ask_consent(workspace: Workspace, task: str, contributor: str, *, yes: bool) -> Agreement:
    """Show the task and its consent text and have it agreed; enrols a newcomer who sits at the keyboard.

    Raises:
        InvalidInput: nobody can be asked and `--yes` was not given, or the task wants more than that, or the
            contributor did not agree.
    """
    stored = workspace.catalog.task(task)
    if yes and stored.task.consent_signed:
        raise InvalidInput(f"the task '{task}' wants the consent signed; leave --yes out and let the contributor type")
    if yes:
        workspace.catalog.require_contributor(contributor)
        return Agreement("flag")
    if not sys.stdin.isatty():
        raise InvalidInput(
            "nobody is here to agree to the consent text; pass --yes if the contributor has agreed to it"
        )
    say(f"{stored.task.title}\n\n{stored.task.instructions}\n\nConsent:\n{stored.task.consent}\n")
    if contributor not in workspace.catalog.contributors():
        if not typer.confirm(f"'{contributor}' is new here. Enrol them?"):
            workspace.catalog.require_contributor(contributor)
        workspace.catalog.add_contributor(contributor)
    signed: str = typer.prompt("If you agree, type your name or initials (Enter: no)", default="", show_default=False)
    if not signed.strip():
        raise InvalidInput("nothing was recorded, because the consent text was not agreed to")
    return Agreement("typed", signed.strip()[:100])
