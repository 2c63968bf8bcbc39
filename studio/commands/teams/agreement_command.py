"""The command `agreement`: how well annotators agree, by task, track and pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from annotate.agreement.agreement_estimates import Estimate
from annotate.agreement.agreement_table import SHOWN, agreement_rows


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(agreement)


def agreement(
    task: Annotated[str | None, typer.Option(help="Only this task.")] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say how well annotators agree on recordings that two of them labelled, with 95 % intervals."""
    from annotate.agreement.measured_agreement import measure_agreement

    with opened(folder) as workspace:
        report = measure_agreement(workspace.catalog, task=task)
    if as_json:
        print_json(report)
        return
    if not report.tasks:
        say("No recording was labelled by two people yet; a task asks for it with: [labelling] double_share = 0.1")
        return
    for found in report.tasks:
        title = f"{found.task}: {found.recordings} recordings labelled twice, by {found.annotators} annotators"
        columns = ["track", "annotators", "recordings", *SHOWN.values()]
        print_table(title, columns, [(*row[:3], *map(_shown, row[3])) for row in agreement_rows(found)])
        say("")
    say("Edges: how far apart (median), in frames. Alpha: Krippendorff's for units, 1 perfect, 0 as by chance.")


def _shown(estimate: Estimate | None) -> str:
    """A measure with its interval, where there is one."""
    if estimate is None:
        return "-"
    ends = "" if estimate.low is None or estimate.high is None else f" ({estimate.low:.2f} to {estimate.high:.2f})"
    return f"{estimate.value:.2f}{ends}"
