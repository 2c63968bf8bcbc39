"""Commands of operators: init, task, contributor, process, serve, doctor, demo."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storage.recordings.recording import State
from studio.commands.operators.describe import describe
from studio.commands.options import HERE, HandModelOption, JsonOption, PoseModelOption, WorkspaceOption, opened
from studio.commands.output import messages, native_logs_aside, print_json, print_table, progress, say, say_error

if TYPE_CHECKING:
    from storage.tasks.task import ConsentScopes

task_app = typer.Typer(help="Tasks: what contributors are asked to do.", no_args_is_help=True)
contributor_app = typer.Typer(help="Contributors: the people who record, by pseudonymous ids.", no_args_is_help=True)


class Filter(StrEnum):
    """What is done to tracks."""

    smooth = "smooth"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(init)
    app.add_typer(task_app, name="task")
    contributor_app.command("describe")(describe)
    app.add_typer(contributor_app, name="contributor")
    app.command()(process)
    app.command()(serve)
    app.command()(doctor)
    app.command()(demo)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new workspace.")],
    name: Annotated[str | None, typer.Option(help="Its name.", show_default="the folder's")] = None,
    catalog: Annotated[str, typer.Option(help="sqlite:///FILE or postgresql://...")] = "sqlite:///catalog.sqlite",
    store: Annotated[str, typer.Option(help="Folder or object store, e.g. s3://bucket/prefix.")] = ".",
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: a folder with a catalog and a place for objects."""
    from storage.workspace import create_workspace

    workspace = create_workspace(folder, name=name, catalog=catalog, store=store)
    workspace.catalog.close()
    if as_json:
        print_json({"workspace": workspace.folder, "name": workspace.name})
    else:
        say(f"Made the workspace '{workspace.name}' in {workspace.folder}. Next: kinesphere task add FILE.toml")


@task_app.command("add")
def task_add(
    file: Annotated[Path, typer.Argument(help="TOML file with name, title, instructions, consent.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Add a task, or a new version of one."""
    from annotate.checks.plugins import refuse_wrong_way
    from storage.tasks.task import read_task

    task = read_task(file)
    absent = refuse_wrong_way(task.criteria.plugins)
    with opened(workspace) as place:
        stored, is_new = place.catalog.add_task(task)
    if as_json:
        print_json({"task": task.name, "version": stored.version, "is_new": is_new})
    elif is_new:
        say(f"Task '{task.name}' is in, version {stored.version}. Next: kinesphere contributor add ID")
    else:
        say(f"Task '{task.name}' is here already with the same content (version {stored.version}).")
    if absent and not as_json:
        say(f"Not installed here, so doubted where it processes: {', '.join(absent)}. See: kinesphere checks")


@task_app.command("list")
def task_list(workspace: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """List the tasks in their newest versions."""
    with opened(workspace) as place:
        tasks = place.catalog.tasks()
    if as_json:
        print_json([{"task": t.task.name, "version": t.version, "title": t.task.title} for t in tasks])
    elif tasks:
        print_table("Tasks", ["task", "version", "title"], [(t.task.name, t.version, t.task.title) for t in tasks])
    else:
        say("No tasks yet. Add one with: kinesphere task add FILE.toml")


@task_app.command("show")
def task_show(
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show a task as contributors see it, with its criteria and labels."""
    with opened(workspace) as place:
        stored = place.catalog.task(task)
    content = stored.task.model_dump(mode="json")
    if as_json:
        print_json({"version": stored.version, **content})
        return
    say(f"{stored.task.title} ({stored.task.name}, version {stored.version}, {stored.task.language})")
    say(f"\n{stored.task.instructions}\n\nConsent: {stored.task.consent}\n")
    limits = [
        (name, "at least" if type(limit).__name__ == "AtLeast" else "at most", limit.doubt, limit.fail)
        for name, limit in stored.task.criteria.limits().items()
    ]
    limits += [(f"plugins.{p}", "as it says", own.doubt, own.fail) for p, own in stored.task.criteria.plugins.items()]
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


@contributor_app.command("add")
def contributor_add(
    contributor: Annotated[str, typer.Argument(help="A pseudonymous id, e.g. c001. Never a name or an address.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Enrol a contributor."""
    with opened(workspace) as place:
        is_new = place.catalog.add_contributor(contributor)
    if as_json:
        print_json({"contributor": contributor, "is_new": is_new})
    else:
        say(f"Contributor '{contributor}' is {'enrolled' if is_new else 'enrolled already'}.")


@contributor_app.command("list")
def contributor_list(workspace: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """List the contributors."""
    with opened(workspace) as place:
        contributors = place.catalog.contributors()
    if as_json:
        print_json(contributors)
    else:
        say("\n".join(contributors) or "No contributors yet. Enrol one with: kinesphere contributor add ID")


def _known_engine(name: str) -> str:
    from pose.engines.engine_by_name import ENGINES

    return _one_of(ENGINES.names(), name)


def _known_extractor(name: str) -> str:
    from pose.extractors.extractor_by_name import EXTRACTORS

    return _one_of(EXTRACTORS.names(), name)


def _one_of(names: Sequence[str], name: str) -> str:
    """The name, unless it is wrong usage: the choices that the installed packages give are known only now."""
    if name not in names:
        raise typer.BadParameter(f"'{name}' is not one of {', '.join(names)}")
    return name


def process(
    recordings: Annotated[list[str] | None, typer.Argument(help="Which; else all that is submitted.")] = None,
    engine: Annotated[
        str,
        typer.Option(
            callback=_known_engine,
            help="local: threads of this machine; ray: the Ray cluster at RAY_ADDRESS; or an installed one.",
        ),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Recordings at a time.", show_default="cores / 2")
    ] = None,
    extractor: Annotated[
        str, typer.Option(callback=_known_extractor, help="What finds the body: mediapipe, or an installed one.")
    ] = "mediapipe",
    tracks: Annotated[Filter, typer.Option("--filter", help="Smooth the tracks, or keep them raw.")] = Filter.smooth,
    again: Annotated[bool, typer.Option("--again", help="Extract accepted and flagged recordings again.")] = False,
    pose_model: PoseModelOption = None,
    hand_model: HandModelOption = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check and extract what is waiting: video becomes trajectories, doubts go to review."""
    from pose.engines.engine_by_name import make_engine
    from pose.extractors.extractor import ExtractorOptions
    from pose.extractors.extractor_by_name import open_extractor
    from studio.pipeline import process as processing
    from studio.pipeline.extraction import Failure

    with opened(workspace) as place:
        rows = (processing.processed if again else processing.waiting)(place, recordings or ())
        total = sum(row.frames for row in rows)
        options = ExtractorOptions(pose_model, hand_model, tracks.value)
        runner = make_engine(engine, workers)
        if rows and runner.runs_here:
            open_extractor(extractor, options, on_fetch=messages.print)
        title = f"Processing {len(rows)} recordings"
        with native_logs_aside(), progress(title, total, quiet=as_json or not rows) as show:
            results = processing.process(
                place,
                rows,
                engine=runner,
                extractor=extractor,
                options=options,
                on_frames=show,
            )
    outcomes = [result for result in results if isinstance(result, processing.Outcome)]
    failures = [result for result in results if isinstance(result, Failure)]
    if as_json:
        print_json({"processed": outcomes, "failed": failures})
    elif not results and again:
        say("Nothing is accepted or flagged. Process something first: kinesphere process")
    elif not results:
        say("Nothing is waiting. Submit something first: kinesphere submit --all")
    elif outcomes:
        cells = [(o.recording, o.state, o.frames, o.frames_with_body, o.hands_found) for o in outcomes]
        print_table("Processed", ["recording", "state", "frames", "with body", "hands found"], cells)
        for outcome in outcomes:
            if outcome.state is not State.ACCEPTED:
                say(f"{outcome.recording} is {outcome.state}: {outcome.why}")
    if failures:
        for failure in failures:
            say_error(f"{failure.recording}: {failure.error}")
        raise typer.Exit(1)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this computer's own need accounts.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 8765,
    upload_limit: Annotated[float, typer.Option(min=0, help="Largest video that is taken, in GiB.")] = 20,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of a certificate, to serve https.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Serve the studio: pages to label, review and operate, and uploads from contributors."""
    from studio.commands.operators.serve import serve as run_server

    with opened(workspace) as place:
        run_server(
            place,
            host=host,
            port=port,
            upload_limit=int(upload_limit * 2**30),
            certificate=certificate,
            key=key,
            as_json=as_json,
        )


def doctor(
    workspace: Annotated[Path | None, typer.Argument(help="Also look at this workspace.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find out what is missing on this computer, and how to mend it."""
    from studio.commands.operators.doctor import examine

    findings = examine(workspace)
    if as_json:
        print_json(findings)
    else:
        print_table("Doctor", ["", "what", "finding"], [("ok" if f.ok else "!!", f.what, f.words) for f in findings])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def demo(
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Where to put it.")] = Path("kinesphere-demo"),
    as_json: JsonOption = False,
) -> None:
    """Take a real clip through the whole pipeline to training windows."""
    from studio.commands.demo import run

    run(workspace, as_json=as_json)
