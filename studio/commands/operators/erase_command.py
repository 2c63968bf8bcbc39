"""Command of operators: erase."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import confirm, print_json, print_table, say, steps

if TYPE_CHECKING:
    from storage.catalog import ErasureRecord
    from storage.erasure.erasure_check import Trace
    from storage.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(erase)


def erase(
    contributor: Annotated[str | None, typer.Argument(help="Whom to erase.")] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Erase all recordings that were withdrawn.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only look for what is left of the contributor.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it cannot be undone.")] = False,
    who: Annotated[str | None, typer.Option(help="Who erases.", show_default="your login")] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Erase a contributor: videos, shards, drafts, and their episodes in every version. It cannot be undone.

    Each version that names them is replaced by one without them. What stays is a tombstone with a receipt.
    Interrupted, it can be repeated. Copies elsewhere and readers' caches are out of its reach: the tombstone lists
    what they should delete. A backup loses them with the next `kinesphere backup`.
    """
    if (contributor is None) == (not withdrawn):
        raise InvalidInput("say whom to erase: kinesphere erase CONTRIBUTOR, or kinesphere erase --withdrawn")
    if yes and contributor is not None and not verify:
        from storage.erasure.freed_room import make_room

        make_room(folder, contributor)  # on a full disk the catalog may not even open
    with opened(folder) as workspace:
        if verify:
            if contributor is None:
                raise InvalidInput("--verify looks for a contributor: kinesphere erase CONTRIBUTOR --verify")
            _verify(workspace, contributor, as_json=as_json)
            return
        if not yes and not _is_agreed(workspace, contributor):
            say("Nothing was erased.")
            raise typer.Exit(1)
        _erase(workspace, contributor, who=who or getpass.getuser(), as_json=as_json)


def _erase(workspace: Workspace, contributor: str | None, *, who: str, as_json: bool) -> None:
    from studio.pipeline.withdrawal import erase_here

    with steps("Erasing") as show:
        done = erase_here(workspace, contributor, who=who, on_step=lambda step: show(f"Erasing: {step}"))
    if as_json:
        print_json(done.tombstone if done is not None else None)
    elif done is None:
        say("Nothing is withdrawn, so there is nothing to erase.")
    else:
        _tell(done)


def _tell(done: ErasureRecord) -> None:
    assert done.tombstone is not None  # it is done
    counts = done.tombstone["counts"]
    say(
        f"Erased {counts['recordings']} recordings ({counts['seconds'] / 3600:.2f} h), {counts['shards']} shards and "
        f"{counts['versions']} versions. Receipt: {done.receipt}"
    )
    if done.tombstone["versions"]:
        rows = [
            (f"{v['dataset']}@{v['number']}", f"{v['dataset']}@{v['replaced_by']}" if v["replaced_by"] else "nothing")
            for v in done.tombstone["versions"]
        ]
        print_table("Withdrawn versions", ["version", "replaced by"], rows)
    if done.tombstone.get("exports"):
        cells = [
            (f"{e['dataset']}@{e['version']}", e["format"], f"{e['made_on']}:{e['location']}", e["outcome"])
            for e in done.tombstone["exports"]
        ]
        print_table("Exports", ["version", "format", "where", "now"], cells)
        if any(e["outcome"] == "removed" for e in done.tombstone["exports"]):
            say("What was removed can be exported again, from the version that replaced it.")


def _verify(workspace: Workspace, contributor: str, *, as_json: bool) -> None:
    from storage.catalog import Erasures
    from storage.erasure.erasure_check import find_traces

    with steps("Looking") as show:
        traces = find_traces(workspace, contributor, on_step=lambda step: show(step.capitalize()))
        done = Erasures(workspace.catalog).erased(contributor)
        traces += _fingerprints(workspace)
    if as_json:
        print_json({"left": traces, "erasures": [record.tombstone for record in done]})
    elif traces:
        print_table(f"Left of '{contributor}'", ["where", "what"], [(trace.where, trace.what) for trace in traces])
    elif done:
        say(f"Nothing is left of '{contributor}': erased {done[-1].done_at:%Y-%m-%d}, receipt {done[-1].receipt}.")
    else:
        say(f"Nothing is here of '{contributor}', and nobody of that id was erased.")
    if traces:
        raise typer.Exit(1)


def _fingerprints(workspace: Workspace) -> list[Trace]:
    """The recordings that have left and that the index of duplicates would still find."""
    from storage.erasure.erasure_check import Trace
    from studio.pipeline.withdrawal import remaining_fingerprints

    return [Trace(f"duplicates, {name}", "fingerprint; erase again") for name in remaining_fingerprints(workspace)]


def _is_agreed(workspace: Workspace, contributor: str | None) -> bool:
    """Show what will go and ask."""
    from storage.recordings.recording import State

    if contributor is None:
        rows = workspace.catalog.recordings(State.WITHDRAWN)
        what = f"{len(rows)} withdrawn recordings"
    else:
        rows = workspace.catalog.recordings(contributor=contributor)
        what = f"contributor '{contributor}' with {len(rows)} recordings"
    if not sys.stdin.isatty():
        raise InvalidInput(f"nobody is here to confirm that {what} should go; add --yes")
    hours = sum(row.duration_ns for row in rows) / 3.6e12
    return confirm(f"Erase {what} ({hours:.2f} h), and their episodes in every version? This cannot be undone")
