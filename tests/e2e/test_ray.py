"""`process --engine ray`: the same bytes as on one machine, and a lost node loses nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pose.engines.engine import Item, OnFrame, Result, Work
from pose.engines.ray_engine import RayCluster
from storage.recordings.recording import State
from storage.workspace import open_workspace
from studio.pipeline.process import Outcome, process
from tests.support import video_clips as clips
from tests.support.command import Command
from tests.support.frail_extractor import CommandWithPoison
from tests.support.other_processes import wait_until_gone

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")]


class ClusterThatLosesANode(RayCluster):
    """Ray, with a hand on the plug: after the first result a node goes."""

    def __init__(self, pull_the_plug: Callable[[], None]) -> None:
        super().__init__()
        self._pull_the_plug = pull_the_plug

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        for number, result in enumerate(super().run(work, items, on_frame)):
            if number == 0:
                self._pull_the_plug()
            yield result


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that takes no work and two nodes of one core each."""
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, "0")
    import ray
    from ray.cluster_utils import Cluster

    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    ray.init(made.address, log_to_driver=False)
    yield lambda: made.remove_node(nodes[0], allow_graceful=False)
    ray.shutdown()
    made.shutdown()


def test_a_node_lost_half_way_loses_no_recording_and_writes_none_twice(
    cluster: Callable[[], None], tmp_path: Path, short_clip: Path
) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    command.run("import", str(short_clip), "-t", "move", "-c", "c001", "--yes")
    for number in range(5):
        clip = clips.make_clip(tmp_path / f"{number}.mp4", frames=30 + number)
        command.run("import", str(clip), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    on_one_machine = Command(tmp_path / "on-one-machine")
    shutil.copytree(command.workspace, on_one_machine.workspace)
    on_one_machine.run("process")

    workspace = open_workspace(command.workspace)
    rows = workspace.catalog.recordings(State.SUBMITTED)
    results = process(workspace, rows, engine=ClusterThatLosesANode(cluster))
    assert [result.recording for result in results if isinstance(result, Outcome)] == [row.recording for row in rows]
    for row in rows:
        assert len(workspace.catalog.events(row.recording)) == 3, "processed exactly once"
    workspace.catalog.close()

    def shards(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert shards(command.workspace / "shards") == shards(on_one_machine.workspace / "shards")


def test_the_command_starts_a_cluster_of_its_own_where_there_is_none(tmp_path: Path) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    command.run("import", str(clips.make_clip(tmp_path / "a.mp4", frames=30)), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    (outcome,) = command.json("process", "--engine", "ray")["processed"]
    assert outcome["frames"] == 30


def test_poison_on_the_cluster_fails_alone(tmp_path: Path) -> None:
    command = CommandWithPoison.prepared(tmp_path)
    made = []
    for number in range(3):
        clip = clips.make_clip(tmp_path / f"{number}.mp4", frames=40 + number)
        made.append(
            command.json("import", str(clip), "-t", "move", "-c", "c001", "--yes")["recordings"][0]["recording"]
        )
    command.run("submit", "--all")
    command.poison.set({made[0]: "eat", made[1]: "crash"})
    words = ("process", "--engine", "ray", "--extractor", "frail", "--memory-limit", "0.6")
    shown = json.loads(command.run(*words, "--json", code=1).stdout)
    assert [outcome["recording"] for outcome in shown["processed"]] == [made[2]]
    assert {failed["recording"]: failed["error"] for failed in shown["failed"]} == {
        made[0]: "it needed more than 0.6 GB of memory",
        made[1]: "what reads or extracts it crashed (SIGSEGV)",
    }
    assert {failed["tries"] for failed in shown["failed"]} == {1}
    wait_until_gone(int(command.poison.note(name).read_text()) for name in made[:2])


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = Command.in_new_workspace(tmp_path / "workspace")
    command.run("import", str(clips.make_clip(tmp_path / "a.mp4", frames=30)), "-t", "move", "-c", "c001", "--yes")
    command.run("submit", "--all")
    monkeypatch.setattr(Command, "environment", Command(command.workspace).environment | {"RAY_ADDRESS": "127.0.0.1:1"})
    assert "check RAY_ADDRESS" in command.error("process", "--engine", "ray")
    assert os.environ.get("RAY_ADDRESS") is None
