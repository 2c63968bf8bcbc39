"""A team's workspace: the catalog on a real PostgreSQL, the objects on a real S3 endpoint, the same commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kinesphere as ks
from tests.support.command import TASK, Command


@pytest.mark.slow
def test_the_pipeline_runs_on_postgresql_and_s3(
    tmp_path: Path, postgres_url: str, s3_url: str, short_clip: Path
) -> None:
    command = Command(tmp_path / "workspace")
    command.run("init", str(command.workspace), "--catalog", postgres_url, "--store", s3_url)
    file = tmp_path / "move.toml"
    file.write_text(TASK)
    command.run("task", "add", str(file))
    command.run("contributor", "add", "c001")
    command.run("import", str(short_clip), "--task", "move", "--contributor", "c001", "--yes")
    command.run("submit", "--all")
    (outcome,) = command.json("process")["processed"]
    assert outcome["state"] == "accepted" and outcome["frames"] == 60
    published = command.json("publish", "moves")
    assert published["location"] == f"{s3_url}/datasets/moves"
    assert {name.split("/")[0] for name in command.files()} == {"workspace.toml", "duplicates"}
    shutil.rmtree(command.workspace / "duplicates")  # an index, made anew from what is in the store
    command.run("record", "--task", "move", "--contributor", "c001", "--source", f"file:{short_clip}", "--yes")
    command.run("submit", "--all")
    (again,) = command.json("process")["processed"]
    assert again["state"] == "flagged" and f"recording {outcome['recording']}" in again["why"]

    dataset = ks.open_dataset(published["location"])
    batches = list(dataset.stream(window=16, batch_size=8, keys=["body_world", "timestamp"], shuffle=True, seed=1))
    assert sum(len(batch["episode"]) for batch in batches) == 60 - 16 + 1
