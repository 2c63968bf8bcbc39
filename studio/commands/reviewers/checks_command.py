"""The commands `checks`: what is checked by itself, what it means, and how well it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from annotate.gate.gate_measures import Estimate, Times
    from annotate.gate.proposed_thresholds import CurvePoint

checks_app = typer.Typer(help="Automated checks: what is measured of every recording.", invoke_without_command=True)


CURVE_ROWS = 16


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    checks_app.command()(measure)
    checks_app.command()(calibrate)
    app.add_typer(checks_app, name="checks")


@dataclass(frozen=True)
class _Shown:
    """One check as it is listed."""

    check: str
    meaning: str
    unit: str
    direction: str
    doubt: float | None = None
    """The default; a plugin has none, its thresholds are always the task's."""
    fail: float | None = None
    plugin: str | None = None
    """The package and version that it comes from."""
    problem: str | None = None
    """Why the plugin cannot say more."""


@checks_app.callback()
def _default(context: typer.Context, as_json: JsonOption = False) -> None:
    """Automated checks: what is measured of every recording."""
    if context.invoked_subcommand is None:
        _list(as_json)


@checks_app.command("list")
def checks_list(as_json: JsonOption = False) -> None:
    """List the built-in checks and the installed plugins, with meaning, unit and default thresholds."""
    _list(as_json)


def _list(as_json: bool) -> None:
    built_in, own = _built_in(), _plugins()
    if as_json:
        print_json([*built_in, *own])
        return
    rows = [(c.check, f"{c.direction} {c.doubt:g}", f"{c.fail:g}", c.unit) for c in built_in]
    print_table("Checks and default thresholds", ["check", "should be", "rejected beyond", "unit"], rows)
    say("")
    for check in built_in:
        say(f"{check.check}: {check.meaning}")
    if own:
        plugin_rows = [(c.check, c.plugin, c.direction, c.unit, c.problem or c.meaning) for c in own]
        print_table("Plugins", ["check", "package", "should be", "unit", "meaning"], plugin_rows)
    say("\nA task sets its own thresholds: [criteria] NAME = { doubt = ..., fail = ... }")


def _built_in() -> list[_Shown]:
    from annotate.checks.built_in_checks import BUILT_IN

    return [
        _Shown(check.name, check.meaning, check.unit, check.direction, check.default.doubt, check.default.fail)
        for check in BUILT_IN.values()
    ]


def _plugins() -> list[_Shown]:
    from annotate.checks.plugins import PluginFailed, describe, installed_plugins

    shown = []
    for plugin in installed_plugins():
        name, package = f"plugins.{plugin.name}", f"{plugin.package} {plugin.version}"
        try:
            answer = describe(plugin)
        except PluginFailed as failure:
            shown.append(_Shown(name, "", "", "", plugin=package, problem=f"it does not work: {failure}"))
        else:
            shown.append(_Shown(name, answer.meaning, answer.unit, answer.direction, plugin=package))
    return shown


def measure(
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only of this task.")] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Measure each check against reviewers' decisions, the reviewers against known answers, and the wait."""
    from annotate.gate.gate_measures import measure_gate

    with opened(folder) as workspace:
        measured = measure_gate(workspace.catalog, task)
    if as_json:
        print_json(measured)
        return
    say(
        f"{measured.recordings} recordings: {measured.passed} passed, {measured.flagged} flagged "
        f"({measured.gate.share_doubted:.1%}), {measured.rejected} rejected by checks alone."
    )
    say(f"Decided in spot checks: {measured.spot_checked}; of what passed, {_share(measured.bad_passed)} is bad.")
    if measured.passed_unlike:
        say(f"{measured.passed_unlike} passed in tasks without a decided spot check; they are taken to be alike.")
    cells = [
        (one.check, one.doubted, f"{one.share_doubted:.1%}", one.failed, _share(one.precision), _share(one.recall))
        for one in (*measured.checks, measured.gate)
    ]
    columns = ["check", "doubted", "share", "failed", "precision", "recall"]
    print_table("Checks against reviewers, with 95 % intervals", columns, cells)
    say(f"From asked to answered: {_time(measured.waiting_seconds)}; looking: {_time(measured.looking_seconds)}.")
    if measured.reviewers:
        rows = [(one.reviewer, one.opinions, _share(one.right)) for one in measured.reviewers]
        print_table("Reviewers", ["reviewer", "opinions", "right where the answer is known"], rows)


def calibrate(
    check: Annotated[str, typer.Argument(help="The check, e.g. brightness.")],
    task: Annotated[str, typer.Option("--task", "-t", help="The task whose decisions are used.")],
    miss_rate: Annotated[float, typer.Option(help="Share of the bad recordings that the check may let pass.")] = 0.02,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Propose a check's thresholds from past decisions, and show what each threshold would lead to."""
    from annotate.gate.proposed_thresholds import calibrate as propose

    with opened(folder) as workspace:
        proposal = propose(workspace.catalog, check, task, miss_rate)
    if as_json:
        print_json(proposal)
        return
    beyond = "below" if proposal.is_lower_limit else "above"
    rows = [_curve_row(point, point is proposal.at_doubt) for point in sampled(proposal.curve, proposal.at_doubt)]
    columns = ["", f"doubt {beyond}", "missed", "doubted", "precision", "", f"missed {'#'}, doubted {'-'}"]
    print_table(f"{check} of {task}, from {proposal.decided} decisions", columns, rows)
    now = proposal.now
    say(f"Now, at {now.threshold:g}: {now.missed:.1%} missed, {now.doubted:.1%} doubted.")
    say(
        f"Proposed, at {proposal.doubt:g}: {_share(proposal.missed)} missed of {proposal.missed.count} to be found, "
        f"{proposal.at_doubt.doubted:.1%} doubted."
    )
    if not proposal.fail_is_new:
        say("For another `fail` too few decisions lie beyond it, or not all of them are sure.")
    say("In the task file, if you agree:\n")
    say(f"[criteria]\n{check} = {{ doubt = {proposal.doubt:g}, fail = {proposal.fail:g} }}")


def sampled(curve: Sequence[CurvePoint], chosen: CurvePoint, rows: int = CURVE_ROWS) -> list[CurvePoint]:
    """As many points of a curve as fit on a screen, evenly over it, with its ends and the one that was chosen."""
    if len(curve) <= rows:
        return list(curve)
    chosen_places = {round(index * (len(curve) - 1) / (rows - 2)) for index in range(rows - 1)}
    return [point for index, point in enumerate(curve) if index in chosen_places or point is chosen]


def _curve_row(point: CurvePoint, is_chosen: bool) -> tuple[str, ...]:
    width = 30
    missed, doubted = round(point.missed * width), round(point.doubted * width)
    bar = "".join("#" if place == missed else "-" if place < doubted else " " for place in range(width + 1))
    precision = f"{point.precision:.0%}" if point.precision is not None else ""
    return (
        "->" if is_chosen else "",
        f"{point.threshold:g}",
        f"{point.missed:.1%}",
        f"{point.doubted:.1%}",
        precision,
        "|",
        bar.rstrip(),
    )


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not known"
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"


def _time(times: Times | None) -> str:
    if times is None:
        return "not known"
    return f"{_seconds(times.median)} (median), {_seconds(times.ninth_decile)} (nine in ten are faster)"


def _seconds(value: float) -> str:
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
