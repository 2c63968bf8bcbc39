"""Taking back: what a contributor withdraws is erased at once; for the command, the server and web pages alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from annotate.duplicates.duplicates import open_duplicate_index
from capture.drafts.outbox import withdraw as withdraw_one
from kinesphere.errors import NotFound
from storage.catalog import ErasureRecord, Erasures
from storage.erasure.erasure import erase
from storage.recordings.recording import State
from storage.workspace import Workspace


@dataclass(frozen=True)
class TakenBack:
    """What became of recordings that were taken back."""

    recordings: tuple[str, ...]
    receipts: tuple[str, ...]
    """Of the erasures that took them. An erasure takes all that is withdrawn, so there is mostly one."""


def take_back(
    workspace: Workspace,
    contributor: str,
    recordings: Sequence[str] | None = None,
    *,
    why: str = "",
    on_step: Callable[[str], None] = lambda step: None,
) -> TakenBack:
    """Withdraw recordings of a contributor, or all of theirs, and erase them before it returns.

    They may be drafts, waiting, in process, under review or published. Repeated it changes nothing more; interrupted,
    what was withdrawn goes with the next erasure, a server's at its next start. Any number of calls may come at once:
    one erases at a time, and takes what the others have withdrawn by then.

    Args:
        recordings: None takes back all that the contributor has; they stay enrolled.

    Raises:
        NotFound: there is no such contributor, or a recording is not theirs; nothing has changed.
        KinesphereError: what `storage.erasure.erasure.erase` raises; then they are withdrawn, and not erased yet.
    """
    catalog = workspace.catalog
    if recordings is None:
        catalog.require_contributor(contributor)
        chosen = tuple(row.recording for row in catalog.recordings(contributor=contributor))
    else:
        chosen = tuple(dict.fromkeys(recordings))
        for row in map(catalog.recording, chosen):
            if row.contributor != contributor and row.state is not State.ERASED:  # which is nobody's any more
                raise NotFound("recording", row.recording, hint=f"contributor '{contributor}' has none of this id")
    for recording in chosen:
        withdraw_one(workspace, recording, why=why or "the contributor took it back")
    erase_here(workspace, None, who="contributor", on_step=on_step)  # no id: a tombstone stays
    return TakenBack(chosen, tuple(Erasures(catalog).receipts(chosen)))


def erase_here(
    workspace: Workspace,
    contributor: str | None,
    *,
    who: str,
    on_step: Callable[[str], None] = lambda step: None,
) -> ErasureRecord | None:
    """`storage.erasure.erasure.erase`, and this computer's index of duplicates forgets what goes.

    The index is looked after first too: killed in between, nobody would come back to it.
    """
    catalog = workspace.catalog
    leaving = (
        catalog.recordings(State.WITHDRAWN) if contributor is None else catalog.recordings(contributor=contributor)
    )
    _forget_fingerprints(workspace, (row.recording for row in leaving))
    done = erase(workspace, contributor, who=who, on_step=on_step)
    if done is not None:
        on_step("forgetting fingerprints")
        _forget_fingerprints(workspace, remaining_fingerprints(workspace))
    return done


def remaining_fingerprints(workspace: Workspace) -> list[str]:
    """The recordings that this computer's index of duplicates would still find though they have left."""
    with open_duplicate_index(workspace) as index:
        names = index.names()
    return workspace.catalog.departed(names) if names else []


def _forget_fingerprints(workspace: Workspace, recordings: Iterable[str]) -> None:
    with open_duplicate_index(workspace) as index:
        for recording in recordings:
            index.remove(recording)
