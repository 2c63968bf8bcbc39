"""The commands `task`: what contributors are asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from storage.tasks.task import ConsentScopes

task_app = typer.Typer(help="Tasks: what contributors are asked to do.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.add_typer(task_app, name="task")


@task_app.command("add")
def task_add(
    file: Annotated[Path, typer.Argument(help="TOML file with name, title, instructions, consent.")],
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Add a task, or a new version of one."""
    from annotate.checks.plugins import refuse_wrong_way
    from annotate.checks.task_criteria import completed
    from storage.tasks.task import read_task

    task = read_task(file, complete=completed)
    absent = refuse_wrong_way(task.criteria.plugins)
    with opened(folder) as workspace:
        stored, is_new = workspace.catalog.add_task(task)
    if as_json:
        print_json({"task": task.name, "version": stored.version, "is_new": is_new})
    elif is_new:
        say(f"Task '{task.name}' is in, version {stored.version}. Next: kinesphere contributor add ID")
    else:
        say(f"Task '{task.name}' is here already with the same content (version {stored.version}).")
    if absent and not as_json:
        say(f"Not installed here, so doubted where it processes: {', '.join(absent)}. See: kinesphere checks")


@task_app.command("list")
def task_list(folder: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """List the tasks in their newest versions."""
    with opened(folder) as workspace:
        tasks = workspace.catalog.tasks()
    if as_json:
        print_json([{"task": t.task.name, "version": t.version, "title": t.task.title} for t in tasks])
    elif tasks:
        print_table("Tasks", ["task", "version", "title"], [(t.task.name, t.version, t.task.title) for t in tasks])
    else:
        say("No tasks yet. Add one with: kinesphere task add FILE.toml")


@task_app.command("show")
def task_show(
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show a task as contributors see it, with its criteria and labels."""
    from annotate.checks.task_criteria import effective_criteria, limits_of

    with opened(folder) as workspace:
        stored = workspace.catalog.task(task)
    criteria = effective_criteria(stored.task.criteria)
    content = stored.task.model_dump(mode="json") | {"criteria": criteria.model_dump(mode="json")}
    if as_json:
        print_json({"version": stored.version, **content})
        return
    say(f"{stored.task.title} ({stored.task.name}, version {stored.version}, {stored.task.language})")
    say(f"\n{stored.task.instructions}\n\nConsent: {stored.task.consent}\n")
    limits: list[tuple[str, str, float, float]] = [
        (name, limit.direction, limit.doubt, limit.fail) for name, limit in limits_of(criteria).items()
    ]
    limits += [(f"plugins.{p}", "as it says", own.doubt, own.fail) for p, own in criteria.plugins.items()]
    print_table("Criteria", ["check", "should be", "else a person looks", "rejected beyond"], limits)
    say(f"Consent to: {_offered(stored.task.consent_scopes)}")
    for kind in ("verbs", "objects", "outcomes"):
        say(f"{kind}: {', '.join(content['labels'][kind]) or 'any text'}")
    rules = stored.task.review
    say(
        f"Doubts are judged by {rules.opinions} reviewer(s); of what passes, {rules.spot_check_share:.0%} is looked at."
    )


def _offered(rule: ConsentScopes) -> str:
    """What contributors may consent to, in words."""
    scopes = [scope if scope in rule.required else f"{scope} (if they like)" for scope in rule.offered]
    days = f"; for {rule.expires_after_days} days" if rule.expires_after_days else ""
    return (", ".join(scopes) or "nothing in particular") + days
