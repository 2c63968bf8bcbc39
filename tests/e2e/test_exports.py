"""The commands `export` and `exports`: what they write and list, and what `erase` says of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kinesphere.dataset import open_dataset
from storage.publishing.publish import publish
from storage.workspace import create_workspace
from tests.support.command import Command
from tests.support.populated_workspaces import populate


@pytest.fixture
def kitchen(tmp_path: Path) -> Command:
    """A workspace with a version of anna's and ben's recordings."""
    workspace = create_workspace(tmp_path / "kitchen")
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen")
    workspace.catalog.close()
    return Command(workspace.folder)


def test_versions_go_out_and_erasures_follow_them(kitchen: Command, tmp_path: Path) -> None:
    copy, lerobot = tmp_path / "copy", tmp_path / "lerobot"
    told = kitchen.run("export", "kitchen", str(copy), "--format", "kinesphere").stdout
    assert f'kinesphere.open_dataset("{copy}/datasets/kitchen")' in told
    made = kitchen.json(
        "export", "kitchen@1", str(lerobot), "--format", "lerobot", "--rate", "30", "--keys", "wrist_pose, grip"
    )
    assert (made["version"], made["state"]) == (1, "made")
    assert 114 <= len(pq.read_table(lerobot / "data")) <= 120, "of 120 frames at about 30 a second"
    assert "is not empty" in kitchen.error("export", "kitchen", str(tmp_path), "--format", "parquet")
    listed = kitchen.run("exports").stdout
    assert str(copy) in listed and made["export"] in listed and "kitchen@1" in listed
    done = kitchen.run("erase", "anna", "--yes").stdout
    assert "made again without them" in done and "can be exported again" in done
    assert open_dataset(copy / "datasets/kitchen").episodes["contributor"].to_pylist() == ["ben"]
    assert "removed by an erasure" in kitchen.run("exports").stdout
    left = kitchen.json("exports", "--forget", made["export"])
    assert [export["location"] for export in left["exports"]] == [str(copy)]
