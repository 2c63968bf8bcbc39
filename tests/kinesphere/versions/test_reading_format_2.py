"""A version in parts, written when format 2 was frozen, is read by every later release.

`python -m tests.kinesphere.versions.test_reading_format_2` writes the data again; do that only for a new
format, beside the old.
Its parts are of three episodes, where those of a real version are larger; a reader takes parts of any size.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow as pa

from kinesphere.dataset import open_dataset
from kinesphere.objects.store import open_objects
from storage.publishing import table_writer
from storage.publishing.version_writer import write_version
from tests.support.generated_trajectories import make_table

FOLDER = Path(__file__).parents[2] / "data/format_2"
FORMAT_1 = FOLDER.parent / "format_1/datasets/kitchen"
CONTENT = "b85bf7362c7efe46809c97157de4820b0c85638b15368dcda3f1bd42da9bfea7"


def made() -> pa.Table:
    """Eight episodes, pieces of one of format 1."""
    row = open_dataset(FORMAT_1).episodes.slice(0, 1).to_pylist()[0]
    labels = ("pour", "reach", None, "pour", "pour", None, "grasp", "it's")
    return make_table(
        [
            row | {"episode": f"e{place}", "task": f"t{place // 3}", "label": label, "first_frame": place, "length": 9}
            for place, label in enumerate(labels)
        ]
    )


def write() -> None:
    """Eight episodes in parts of three."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    table_writer.PART_ROWS = 3
    criteria = {"t0@1": {"sha256": "0" * 64, "thresholds": {"brightness": {"doubt": 40.0, "fail": 10.0}}}}
    write_version(open_objects(FOLDER, create=True), "kitchen", made(), created_by="anna", criteria=criteria)


def content_of(table: pa.Table) -> str:
    """Hash of every value of a table."""
    return hashlib.sha256(json.dumps(table.to_pydict()).encode()).hexdigest()


def test_every_value_of_format_2_is_what_it_was() -> None:
    dataset = open_dataset(FOLDER / "datasets/kitchen", version=1)
    assert [part["rows"] for part in dataset.manifest["episodes"]["parts"]] == [3, 3, 2]
    assert (len(dataset), dataset.manifest["counts"]["frames"]) == (8, 72)
    assert dataset.manifest["criteria"]["t0@1"]["thresholds"] == {"brightness": {"doubt": 40.0, "fail": 10.0}}
    rows, chosen = dataset.select(["episode", "label"], "label = 'pour' and task = 't1'")
    assert rows.tolist() == [3, 4]
    assert chosen.to_pydict() == {"episode": ["e3", "e4"], "label": ["pour", "pour"]}
    assert dataset.episodes.equals(made())
    assert content_of(dataset.episodes) == CONTENT


if __name__ == "__main__":
    write()
    print(content_of(open_dataset(FOLDER / "datasets/kitchen").episodes))
