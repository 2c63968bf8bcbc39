"""How random batches are, for pools of several sizes and random sampling: `python -m benchmarks.randomness`.

Against the ideal of windows drawn uniformly out of all. The dataset is generated: 200 contributors, each with two long
recordings and twenty short episodes. All point at the same frames of one shard, as only the order matters.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.objects.store import open_objects
from kinesphere.streaming.window_index import Integers
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from studio.commands.output import print_table
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

WINDOW, BATCH = 64, 256
CONTRIBUTORS, LONG, SHORT = 200, (8_000, 12_000), tuple(range(80, 460, 19))
POOLS = (2**15, 2**17, 2**19, 2**21)
DATA = {"long and short": None, "long alone": "length >= 1000", "short alone": "length < 1000"}


@dataclass(frozen=True)
class Mixture:
    """How mixed some batches are; means over the batches."""

    episodes: float
    """Effective number in a batch: 1 / the sum of squared shares (inverse Simpson index)."""
    contributors: float
    pairs: float
    """Share of pairs of a batch that are of one episode, over that of pairs drawn uniformly."""
    overlapping: float
    """Share of pairs of a batch that share frames, over that of pairs drawn uniformly."""
    next_batch: float
    """Share of pairs of a batch and the next one that are of one episode, over that of pairs drawn uniformly."""
    displacement: float
    """Mean distance of a window's place from its place in the unshuffled epoch, in epochs; uniformly drawn: 1/3."""

    @property
    def cells(self) -> tuple[str, ...]:
        """As the table shows them."""
        return (
            f"{self.episodes:.1f}",
            f"{self.contributors:.1f}",
            f"{self.pairs:.2f}",
            f"{self.overlapping:.2f}",
            f"{self.next_batch:.2f}",
            f"{self.displacement:.3f}",
        )


def generate(folder: Path) -> Dataset:
    """The dataset."""
    objects = open_objects(folder)
    shard = write_shard(objects, [make_trajectory(max(LONG))])
    rows = [
        make_row(shard, episode=f"{contributor}/{place}", contributor=f"c{contributor:03}", length=length)
        for contributor in range(CONTRIBUTORS)
        for place, length in enumerate((*LONG, *SHORT))
    ]
    write_version(objects, "mixed", make_table(rows))
    return open_dataset(folder / "datasets/mixed")


def effective(members: Integers) -> float:
    """1 / the sum of squared shares of what occurs in `members`."""
    _, counts = np.unique(members, return_counts=True)
    return float(len(members) ** 2 / (counts.astype(float) ** 2).sum())


def mixture(rows: Integers, frames: Integers, places: Integers, dataset: Dataset, chosen: Integers) -> Mixture:
    """How mixed pairs of successive batches are.

    Args:
        rows: int64 `[pairs, 2, BATCH]`, the episode of each window; `frames` likewise its first frame.
        places: int64 `[pairs]`, number of the first window of each pair of batches in the epoch.
        chosen: int64, the rows of the streamed episodes, ascending.
    """
    contributor = pc.dictionary_encode(dataset.episodes["contributor"]).combine_chunks().indices.to_numpy()
    windows = np.zeros(len(dataset), np.int64)
    windows[chosen] = np.maximum(dataset.episodes["length"].to_numpy()[chosen] - WINDOW + 1, 1)
    total = int(windows.sum())
    one_episode = float((windows.astype(float) ** 2).sum()) / total**2
    near = sum(float(((2 - (step == 0)) * np.maximum(windows - step, 0)).sum()) for step in range(WINDOW)) / total**2
    first_of_row = np.cumsum(windows) - windows
    there = places[:, None, None] + np.arange(2 * BATCH).reshape(2, BATCH)
    first, second = rows[:, 0], rows[:, 1]
    same = first[:, :, None] == first[:, None, :]
    close = np.abs(frames[:, 0, :, None] - frames[:, 0, None, :]) < WINDOW
    others = ~np.eye(BATCH, dtype=np.bool_)
    return Mixture(
        episodes=float(np.mean([effective(batch) for batch in first])),
        contributors=float(np.mean([effective(contributor[batch]) for batch in first])),
        pairs=float(same[:, others].mean()) / one_episode,
        overlapping=float((same & close)[:, others].mean()) / near,
        next_batch=float((first[:, :, None] == second[:, None, :]).mean()) / one_episode,
        displacement=float(np.abs(first_of_row[rows] + frames - there).mean()) / total,
    )


def of_stream(dataset: Dataset, chosen: Integers, pairs: int, **options: Any) -> Mixture:
    """The mixture of pairs of successive batches that lie evenly over an epoch."""
    stream = dataset.stream(WINDOW, BATCH, ["valid"], shuffle=True, seed=1, **options)
    numbers = np.linspace(0, stream.batches - 3, min(pairs, stream.batches - 2)).astype(np.int64)
    rows, frames = np.empty((2, len(numbers), 2, BATCH), np.int64)
    for place, number in enumerate(numbers.tolist()):
        stream.load_state_dict(stream.state_dict() | {"epoch": 0, "batch": number})
        for half, batch in zip(range(2), stream, strict=False):
            rows[place, half], frames[place, half] = batch["episode"], batch["frame"]
    return mixture(rows, frames, numbers * BATCH, dataset, chosen)


def of_uniform(dataset: Dataset, chosen: Integers, pairs: int) -> Mixture:
    """The mixture of as many windows drawn uniformly by NumPy, with replacement."""
    windows = np.maximum(dataset.episodes["length"].to_numpy()[chosen] - WINDOW + 1, 1)
    before = np.cumsum(windows) - windows
    random = np.random.default_rng(0)
    drawn: NDArray[np.int64] = random.integers(0, windows.sum(), (pairs, 2, BATCH))
    place = np.searchsorted(before, drawn, side="right") - 1
    places = random.integers(0, int(windows.sum()) - 2 * BATCH, pairs)
    return mixture(chosen[place], drawn - before[place], places, dataset, chosen)


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=100, help="pairs of successive batches to look at, a row")
    pairs = arguments.parse_args().pairs
    with tempfile.TemporaryDirectory() as name:
        dataset = generate(Path(name))
        lengths = dataset.episodes["length"].to_numpy()
        for title, where in DATA.items():
            is_there = {"long": lengths >= 1000, "short": lengths < 1000}.get(title.split()[0] if where else "")
            chosen = np.arange(len(dataset)) if is_there is None else np.flatnonzero(is_there)
            found = {
                f"pool of {pool:,} frames": of_stream(dataset, chosen, pairs, where=where, pool_frames=pool)
                for pool in POOLS
            }
            found["random"] = of_stream(dataset, chosen, pairs, where=where, sampling="random")
            found["uniform, by NumPy"] = of_uniform(dataset, chosen, pairs)
            print_table(
                f"Batches of {BATCH} windows of {WINDOW} frames: {title}, {len(chosen):,} episodes of "
                f"{CONTRIBUTORS} contributors, {lengths[chosen].sum():,} frames",
                [
                    "sampling",
                    "episodes",
                    "contributors",
                    "same episode",
                    "overlapping",
                    "in next batch",
                    "displacement",
                ],
                [(sampling, *measured.cells) for sampling, measured in found.items()],
            )


if __name__ == "__main__":
    main()
