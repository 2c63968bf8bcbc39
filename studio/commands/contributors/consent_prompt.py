"""Consent: the task is shown, its text is agreed to, and who agreed how is kept with the take."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from kinesphere.errors import InvalidInput
from storage.recordings.consent import SCOPES, Agreement, Scope, checked_scopes
from studio.commands.output import confirm, say

if TYPE_CHECKING:
    from storage.tasks.task import ConsentScopes
    from storage.workspace import Workspace


@dataclass(frozen=True)
class Terms:
    """What the command line says of a consent."""

    scopes: tuple[Scope, ...] | None = None
    expires_at: datetime | None = None

    @classmethod
    def of(cls, scopes: Sequence[str] | None, until: datetime | None) -> Terms:
        """Terms from the options `--scope` and `--consent-until`, a day in UTC, up to its end.

        Raises:
            InvalidInput: there is no such scope.
        """
        end = None if until is None else until.replace(tzinfo=UTC) + timedelta(days=1)
        return cls(checked_scopes(scopes) if scopes else None, end)


def ask_consent(
    workspace: Workspace, task: str, contributor: str, *, yes: bool, terms: Terms | None = None
) -> Agreement:
    """Show the task and its consent text and have it agreed; enrols a newcomer who sits at the keyboard.

    Args:
        terms: what was said on the command line about scopes and their end; without scopes, a person at the keyboard
            is asked for each that the task offers and does not require.

    Raises:
        InvalidInput: nobody can be asked and `--yes` was not given, or the task wants more than that, or the
            contributor did not agree.
    """
    from capture.drafts.outbox import consent_to

    stored = workspace.catalog.task(task)
    if yes and stored.task.consent_signed:
        raise InvalidInput(f"the task '{task}' wants the consent signed; leave --yes out and let the contributor type")
    said = terms or Terms()
    flagged = Agreement("flag", "", said.scopes, said.expires_at)
    consent_to(stored, flagged, datetime.now(UTC))  # refuse before the take
    if yes:
        workspace.catalog.require_contributor(contributor)
        return flagged
    if not sys.stdin.isatty():
        raise InvalidInput(
            "nobody is here to agree to the consent text; pass --yes if the contributor has agreed to it"
        )
    say(f"{stored.task.title}\n\n{stored.task.instructions}\n\nConsent:\n{stored.task.consent}\n")
    if contributor not in workspace.catalog.contributors():
        if not confirm(f"'{contributor}' is new here. Enrol them?"):
            workspace.catalog.require_contributor(contributor)
        workspace.catalog.add_contributor(contributor)
    signed: str = typer.prompt("If you agree, type your name or initials (Enter: no)", default="", show_default=False)
    if not signed.strip():
        raise InvalidInput("nothing was recorded, because the consent text was not agreed to")
    scopes = said.scopes if said.scopes is not None else _asked_scopes(stored.task.consent_scopes)
    return Agreement("typed", signed.strip()[:100], scopes, said.expires_at)


def _asked_scopes(rule: ConsentScopes) -> tuple[Scope, ...]:
    """What the task requires, and of what else it offers, what the contributor says yes to."""
    chosen = set(rule.required)
    for scope in rule.offered:
        if scope not in chosen and typer.confirm(f"Do you also agree that {SCOPES[scope]}?", default=False):
            chosen.add(scope)
    return checked_scopes(chosen)
