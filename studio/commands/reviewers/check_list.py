"""The command `kinesphere checks`: what is checked by itself, what it means, and by which plugins."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from studio.commands.options import JsonOption
from studio.commands.output import print_json, print_table, say

checks_app = typer.Typer(help="Automated checks: what is measured of every recording.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
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
