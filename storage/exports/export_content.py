"""What is exported: a version's episodes in order, each with its consent, and their frames in blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects
from kinesphere.splits import splits_of
from kinesphere.streaming.time_grid import around_episode, refuse_going_back
from kinesphere.trajectory import ADDITIONAL_ARRAYS, BASIC_ARRAYS, HANDS, ArraySpec, from_stored
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.manifests import Version
from storage.recordings.consent import Coverage

BLOCK_FRAMES = 4096
"""Frames that are read at a time: 16 MB with all arrays."""
_AT_ONCE = 16

OnProgress = Callable[[int, int], None]
"""Told how much is done, and of how much: frames, or objects where those are copied as they are."""

_LABELS: Mapping[str, Sequence[str]] = {
    "hand": HANDS,
    "xyz": ("x", "y", "z"),
    "pose": ("x", "y", "z", "qw", "qx", "qy", "qz"),
    "xyz_rotation": ("x", "y", "z", "rx", "ry", "rz"),
}

OF_EPISODES = [column for column in EPISODE_SCHEMA if column.name not in ("shard", "first_frame", "length")]
"""The columns of the episode table that mean something without shards."""
CONSENT_COLUMNS: Mapping[str, pa.DataType] = {
    "consent_scopes": pa.list_(pa.string()),
    "consent_expires_at": pa.string(),
}


@dataclass(frozen=True)
class Content:
    """A version to be exported, and what its catalog adds."""

    objects: Objects
    """Where the version lies."""
    version: Version
    rate: float | None = None
    """Frames per second, or None for the frames at their true times."""
    arrays: Mapping[str, ArraySpec] = field(default_factory=lambda: BASIC_ARRAYS)
    """What is exported, by name, as the shard of the first episode has it; `timestamp` is among it."""
    consents: Mapping[str, Coverage] = field(default_factory=dict)
    """By recording, what its contributor's consent covers."""
    titles: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By task and its version, what contributors were asked to do."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the arrays besides `timestamp`."""
        return tuple(name for name in self.arrays if name != "timestamp")

    @property
    def name(self) -> str:
        """The version as people write it, `kitchen@3`."""
        return f"{self.version.dataset}@{self.version.number}"

    def opened(self) -> Dataset:
        """The version, to be read."""
        return Dataset(self.objects, self.version)

    def check_arrays(self) -> None:
        """Look before anything is written: a version may hold trajectories of releases before the additional arrays.

        Raises:
            InvalidInput: a shard lacks one that is to be exported.
        """
        names = [name for name in self.arrays if name in ADDITIONAL_ARRAYS]
        if not names:
            return
        dataset = self.opened()
        shards = dataset.episodes["shard"].unique().to_pylist()
        with ThreadPoolExecutor(_AT_ONCE, "kinesphere-export") as threads:
            for shard, there in zip(shards, threads.map(dataset.shards.specs, shards), strict=True):
                lacking = [name for name in names if name not in there]
                if lacking:
                    raise InvalidInput(
                        f"shard {shard} of {self.name} has no {', '.join(lacking)}, as trajectories of earlier "
                        "releases; extract its recordings again (kinesphere process --again) and publish, or name the "
                        "arrays that all have with --keys"
                    )

    def splits(self, dataset: Dataset) -> dict[str, NDArray[np.int64]]:
        """The rows of the episode table by split, in their order; all under `train` where there are no splits."""
        if "splits" not in self.version.manifest:
            return {"train": np.arange(len(dataset))}
        named = {name: dataset.rows_of_split(name) for name in splits_of(self.version.manifest).names}
        return {name: rows for name, rows in named.items() if len(rows)}

    def instruction(self, row: Mapping[str, Any]) -> str:
        """What is done in an episode, in words: its label and object, else the title of its task, else its name."""
        if row["label"]:
            return " ".join(word for word in (row["label"], row["object"]) if word)
        return self.titles.get((row["task"], row["task_version"]), str(row["task"]))

    def consent_columns(self, recordings: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of the consents to some recordings; null where the catalog does not know it any more."""
        given = [self.consents.get(recording) for recording in recordings]
        scopes = [None if consent is None else list(consent.scopes) for consent in given]
        ends = [
            None if consent is None or consent.expires_at is None else consent.expires_at.isoformat()
            for consent in given
        ]
        return {
            "consent_scopes": pa.array(scopes, CONSENT_COLUMNS["consent_scopes"]),
            "consent_expires_at": pa.array(ends, CONSENT_COLUMNS["consent_expires_at"]),
        }

    def blocks(self, dataset: Dataset, row: Mapping[str, Any]) -> Iterator[dict[str, NDArray[Any]]]:
        """The frames of an episode, as `Dataset.episode` gives them, a few thousand at a time: `keys` and `timestamp`.

        Raises:
            CorruptObject: an object of its shard is missing or damaged.
            InvalidInput: its shard has no such array, or another one of its name.
        """
        for spec in self.arrays.values():
            dataset.shards.check_spec(row["shard"], spec)
        names, shard, begin = ("timestamp", *self.keys), row["shard"], row["first_frame"]
        if self.rate is None:
            for first in range(begin, begin + row["length"], BLOCK_FRAMES):
                stop = min(first + BLOCK_FRAMES, begin + row["length"])
                yield {
                    name: from_stored(self.arrays[name], dataset.shards.read(shard, name, first, stop))
                    for name in names
                }
            return
        times = dataset.shards.read(shard, "timestamp", begin, begin + row["length"])
        refuse_going_back(times, shard)
        around = around_episode(times, row["frame_rate"], self.rate)
        for piece in around.pieces(BLOCK_FRAMES):
            part = around[piece]
            first, last = int(part.before[0]), int(part.after[-1])
            found: dict[str, NDArray[Any]] = {"timestamp": part.time}
            for name in self.keys:
                spec = self.arrays[name]
                stored = dataset.shards.read(shard, name, begin + first, begin + last + 1)
                found[name] = np.empty((len(part), *spec.shape), spec.in_units)
                part.values(spec, stored, first, found[name])
            yield found


def number_names(spec: ArraySpec) -> list[str]:
    """What each number of a frame of an array is called, in the order in which they lie: `left.thumb_tip.x`.

    What has no name is counted from 0.
    """
    labels = []
    for dimension, length in zip(spec.dimensions[1:], spec.shape, strict=True):
        known = spec.landmarks if dimension.endswith("landmark") else _LABELS.get(dimension, ())
        labels.append(known if len(known) == length else tuple(map(str, range(length))))
    return [".".join(parts) for parts in itertools.product(*labels)]


def column_type(spec: ArraySpec) -> pa.DataType:
    """Of a column that holds the numbers of each frame of an array, flat."""
    number = pa.from_numpy_dtype(np.dtype(spec.in_units))
    return pa.list_(number, math.prod(spec.shape)) if spec.shape else number


def described(spec: ArraySpec) -> dict[str, str]:
    """What there is to say of an array."""
    return {"units": spec.units, "description": spec.description, "frame": spec.frame}


def arrow_array(values: NDArray[Any]) -> pa.Array:
    """Values `(frames, ...)` as a column: numbers, or lists of a fixed size."""
    if values.ndim == 1:
        return pa.array(values)
    flat = values.reshape(len(values), -1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
