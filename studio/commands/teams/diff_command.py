"""The command `diff`: what changed between two versions of a dataset."""

from __future__ import annotations

from typing import Annotated

import typer

from kinesphere.errors import InvalidInput
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened, parse_dataset
from studio.commands.output import print_json, print_table, say

MOST_CHANGES_SHOWN = 1000
"""A table of all changes between two large versions would take longer to lay out than to find."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(diff)


def diff(
    before: Annotated[str, typer.Argument(help="NAME@N, the version to compare from.")],
    after: Annotated[str, typer.Argument(help="NAME@N, or NAME for the newest.")],
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say what changed between two versions of a dataset."""
    from kinesphere.versions.version_difference import compare_versions

    (name, old), (other, new) = parse_dataset(before), parse_dataset(after)
    if name != other:
        raise InvalidInput(f"'{before}' and '{after}' are versions of two datasets; give two of one")
    with opened(folder) as workspace:
        found = compare_versions(workspace.objects, name, old, new)
    if as_json:
        print_json(found)
        return
    say(f"From {name}@{found.before} to {name}@{found.after}\n")
    changes = [(episode, "added", "") for episode in found.added]
    changes += [(episode, "removed", "") for episode in found.removed]
    changes += [(episode, "other frames", "") for episode in found.moved]
    for change in found.relabelled:
        news = (f"{column}: {change.before[column] or '-'} > {change.after[column] or '-'}" for column in change.after)
        changes.append((change.episode, "relabelled", ", ".join(news)))
    shown = changes[:MOST_CHANGES_SHOWN]
    print_table(f"Episodes: {len(changes)} changes", ["episode", "change", "labels"], shown)
    if len(shown) < len(changes):
        say(f"{len(changes) - len(shown)} more changes are not shown; --json gives all.\n")
    for title, hours in (("task", found.hours_by_task), ("contributor", found.hours_by_contributor)):
        rows = [
            (key, f"{change.before:.3f}", f"{change.after:.3f}", f"{change.after - change.before:+.3f}")
            for key, change in hours.items()
        ]
        print_table(f"Hours by {title}", [title, "before", "after", "change"], rows)
