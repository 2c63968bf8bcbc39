"""How long versions of 10^6 episodes take to publish, open and compare: `python -m benchmarks.storage_versions`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.dataset import open_dataset
from kinesphere.versions.manifests import list_versions, read_episodes, read_version
from kinesphere.versions.version_difference import compare_versions
from storage.publishing.publish import publish
from storage.publishing.version_writer import write_version
from storage.workspace import create_workspace
from studio.commands.output import print_table
from tests.support.bulk_catalogs import fill_workspace

RECORDINGS, SEGMENTS = 100_000, 10
FEW = "label = 'pour' and contributor = 'c0007'"
MANY = "label = 'pour' and body_share > 0.5"

T = TypeVar("T")


def versions_of_many_episodes(folder: Path) -> list[tuple[str, str]]:
    """What is done to a million episodes, and how long it takes."""
    rows: list[tuple[str, str]] = []

    def measure(name: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        found = work()
        rows.append((name, f"{time.perf_counter() - began:.2f} s"))
        return found

    place = create_workspace(folder / "many")
    fill_workspace(place, RECORDINGS, SEGMENTS)
    location = place.dataset_location("many")
    first = measure("publish from a SQLite catalog", lambda: publish(place, "many"))
    measure("publish again, nothing changed", lambda: publish(place, "many"))
    table = read_episodes(place.objects, first)
    column = table.column_names.index("label")
    renamed = pc.if_else(pc.equal(table["label"], "pour"), "pour slowly", table["label"])
    changed = table.set_column(column, pa.field("label", pa.string()), renamed)
    measure("write_version alone, a sixth relabelled", lambda: write_version(place.objects, "many", changed))
    dataset = measure("open", lambda: open_dataset(location, 1))
    wanted = ["shard", "first_frame", "length"]
    few, _ = measure(f"choose by {FEW}", lambda: dataset.select(wanted, FEW))
    many, _ = measure(f"choose by {MANY}", lambda: dataset.select(wanted, MANY))
    measure("stream(where=...), until it could begin", lambda: dataset.stream(64, 256, shuffle=True, where=FEW))
    measure("stream of all, until it could begin", lambda: dataset.stream(64, 256, shuffle=True))
    measure("the whole table", lambda: dataset.episodes)
    measure("compare_versions", lambda: compare_versions(place.objects, "many", 1, 2))
    numbers = list_versions(place.objects, "many")
    measure("read all manifests", lambda: [read_version(place.objects, "many", number) for number in numbers])
    place.catalog.close()
    size = first.manifest["episodes"]["size_bytes"] / 2**20
    parts = len(first.manifest["episodes"]["parts"])
    rows.append(("chosen", f"{len(few):,} and {len(many):,} of {len(dataset):,}"))
    rows.append(("table", f"{size:.1f} MB in {parts} parts"))
    return rows


def print_versions(folder: Path) -> None:
    """Print the section."""
    print_table("10^6 episodes of 10^5 recordings", ["", "takes"], versions_of_many_episodes(folder))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print_versions(Path(name))
