"""The commands `contributor`: who records, and what they declare about themselves."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kinesphere.errors import InvalidInput
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

contributor_app = typer.Typer(help="Contributors: the people who record, by pseudonymous ids.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    contributor_app.command("describe")(describe)
    app.add_typer(contributor_app, name="contributor")


@contributor_app.command("add")
def contributor_add(
    contributor: Annotated[str, typer.Argument(help="A pseudonymous id, e.g. c001. Never a name or an address.")],
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Enrol a contributor."""
    with opened(folder) as workspace:
        is_new = workspace.catalog.add_contributor(contributor)
    if as_json:
        print_json({"contributor": contributor, "is_new": is_new})
    else:
        say(f"Contributor '{contributor}' is {'enrolled' if is_new else 'enrolled already'}.")


@contributor_app.command("list")
def contributor_list(folder: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """List the contributors."""
    with opened(folder) as workspace:
        contributors = workspace.catalog.contributors()
    if as_json:
        print_json(contributors)
    else:
        say("\n".join(contributors) or "No contributors yet. Enrol one with: kinesphere contributor add ID")


def describe(
    contributor: Annotated[str, typer.Argument(help="Whom: their pseudonymous id.")],
    handedness: Annotated[str | None, typer.Option(help="left, right or both.")] = None,
    age_band: Annotated[str | None, typer.Option(help="18-29, 30-39, 40-49, 50-59, 60-69 or 70+.")] = None,
    region: Annotated[str | None, typer.Option(help="Continent: AF, AS, EU, NA, OC or SA.")] = None,
    environment: Annotated[
        str | None, typer.Option(help="Where they record: kitchen, living-room, office, workshop, ... or other.")
    ] = None,
    forget: Annotated[
        list[str] | None, typer.Option(help="Delete this attribute, or all; given twice, two of them.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="The contributor has agreed that this is kept.")] = False,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Keep what a contributor declares about themselves, show it, or forget it. All of it is optional."""
    from storage.catalog.people.attributes import ATTRIBUTES, Attributes

    given = {"handedness": handedness, "age-band": age_band, "region": region, "environment": environment}
    values = {name: value for name, value in given.items() if value is not None}
    with opened(folder) as workspace:
        attributes = Attributes(workspace.catalog)
        workspace.catalog.require_contributor(contributor)
        if values and not yes and not (sys.stdin.isatty() and typer.confirm("Does the contributor agree to this?")):
            raise InvalidInput("nothing was kept; pass --yes if the contributor has agreed that it is")
        if forget:
            attributes.forget(contributor, ATTRIBUTES if "all" in forget else forget)
        if values:
            attributes.describe(contributor, values)
        declared = attributes.all().get(contributor, {})
    if as_json:
        print_json({"contributor": contributor, "attributes": declared})
    elif declared:
        print_table(f"What '{contributor}' has declared", ["attribute", "value"], list(declared.items()))
        say(f"Forget it with: kinesphere contributor describe {contributor} --forget all")
    else:
        say(f"Nothing is kept about '{contributor}' but what they record.")
