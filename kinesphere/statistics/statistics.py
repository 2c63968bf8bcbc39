"""The statistics of a version: what training normalises with. Exact, found once, and kept beside the version."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat, NotFound, StorageFailed
from kinesphere.log_scale import CODES, LogScale
from kinesphere.statistics.column_counts import PERCENTILES, ColumnCounts
from kinesphere.statistics.frame_passes import FrameRuns, OnProgress, count_arrays, counted_arrays
from kinesphere.trajectory import ArraySpec, Valid
from kinesphere.versions.open_version import OpenVersion

FORMAT_VERSION = 1
KIND = "kinesphere-statistics"

_CHOICES = ("horizon", "where", "split", "rate")
"""What is told of statistics that are not those of a whole version, where it is."""
_FIELDS = {"mean": "mean", "std": "std", "min": "minimum", "max": "maximum"}


@dataclass(frozen=True, eq=False)
class ArrayStatistics:
    """The numbers of one array, each by itself: arrays of the shape of one frame, in the units of `Dataset.arrays`.

    NaN where a number is missing in all frames.
    """

    count: NDArray[np.int64]
    """In how many frames it is there."""
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    """Of the frames themselves: divided by their number, not by one less."""
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    percentiles: Mapping[int, NDArray[np.float64]]
    """By percent: 1, 5, 25, 50, 75, 95, 99. The least value that at least so many percent do not exceed, which is a
    value that occurs: `numpy.quantile(..., method="inverted_cdf")`."""

    @classmethod
    def of(cls, counts: ColumnCounts, shape: tuple[int, ...], scale: float | None = None) -> ArrayStatistics:
        """From what was counted.

        Args:
            counts: of the array's numbers, after the last pass.
            shape: of one frame.
            scale: what stored integers are multiplied with, if they are fixed-point numbers.

        Returns:
            The statistics in units.
        """
        found = counts.result
        assert found is not None, "every pass was made"
        factor = 1.0 if scale is None else scale
        # as `from_stored` turns a stored number into a value, so that quantiles are values that readers meet
        ordered = found.ordered if scale is None else (found.ordered.astype(np.float32) * np.float32(scale))
        least, *within, greatest = (column.astype(np.float64).reshape(shape) for column in ordered.T)
        return cls(
            found.count.reshape(shape),
            (found.mean * factor).reshape(shape),
            (found.std * factor).reshape(shape),
            least,
            greatest,
            dict(zip(PERCENTILES, within, strict=True)),
        )

    @classmethod
    def of_codes(cls, counts: ColumnCounts, shape: tuple[int, ...], scale: LogScale) -> ArrayStatistics:
        """From how often each code of a log scale was counted.

        Args:
            counts: of the array's codes, after their pass.
            shape: of one frame.
            scale: what the codes stand for.

        Returns:
            The statistics in units, without what is missing.
        """
        often = counts.by_value[:, 1:]
        numbers = scale.decode(np.arange(1, CODES + 1, dtype=np.uint8)).astype(np.float64)
        total = often.sum(axis=1)
        never, divisor = total == 0, np.maximum(total, 1)
        mean = often @ numbers / divisor
        std = np.sqrt((often * (numbers - mean[:, None]) ** 2).sum(axis=1) / divisor)
        reached = np.cumsum(often, axis=1)

        def at(percent: int) -> NDArray[np.float64]:
            ranks = np.maximum(-(-total * percent // 100), 1)
            place = np.minimum((reached < ranks[:, None]).sum(axis=1), CODES - 1)
            return np.where(never, np.nan, numbers[place]).reshape(shape)

        return cls(
            total.reshape(shape),
            np.where(never, np.nan, mean).reshape(shape),
            np.where(never, np.nan, std).reshape(shape),
            at(0),
            at(100),
            {percent: at(percent) for percent in PERCENTILES},
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values.

        Returns:
            Nested lists by the names that LeRobot has for them; null for NaN.
        """
        named = {name: getattr(self, field) for name, field in _FIELDS.items()}
        named |= {_quantile_name(percent): values for percent, values in self.percentiles.items()}
        lists = {name: np.where(np.isnan(values), np.array(None), values).tolist() for name, values in named.items()}
        return {"count": self.count.tolist(), **lists}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ArrayStatistics:
        """The inverse of `to_json`.

        Args:
            content: what it gave.

        Returns:
            The same statistics.
        """
        fields = {field: _floats(content[name]) for name, field in _FIELDS.items()}
        within = {percent: _floats(content[_quantile_name(percent)]) for percent in PERCENTILES}
        return cls(count=np.asarray(content["count"], np.int64), percentiles=within, **fields)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of one version of a dataset."""

    dataset: str
    version: int
    episodes_sha256: str
    """Hash of the episode table that they belong to."""
    frames: int
    """How many frames were looked at; those that several episodes hold, once."""
    valid: Mapping[str, int]
    """In how many of them each bit of `valid` is set, by its name in lower case. None for actions."""
    arrays: Mapping[str, ArrayStatistics]
    horizon: int | None = None
    """Of the actions, if it is they that were looked at."""
    where: str | None = None
    """The condition that chose the episodes, if there was one."""
    split: str | None = None
    """The split whose episodes were looked at, if it was one."""
    rate: float | None = None
    """Frames per second, where frames were resampled."""
    is_stored: bool = False
    """Whether they lie beside the version, for the next reader."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, e.g. to be kept with a trained policy.

        Returns:
            What `from_json` takes.
        """
        content: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "kind": KIND,
            "dataset": self.dataset,
            "number": self.version,
            "episodes_sha256": self.episodes_sha256,
            "frames": self.frames,
            "valid": dict(self.valid),
            "arrays": {name: values.to_json() for name, values in self.arrays.items()},
        }
        content |= {name: getattr(self, name) for name in _CHOICES if getattr(self, name) is not None}
        return content | {"sha256": _hash_of(content)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Statistics:
        """The inverse of `to_json`.

        Args:
            content: what it gave.

        Returns:
            The same statistics.

        Raises:
            InvalidInput: these are no statistics, or they were changed.
            NewerFormat: a later release wrote them.
        """
        choices: Any = {}
        try:
            choices = {name: content.get(name) for name in _CHOICES}
            if content["kind"] == KIND and int(content["format_version"]) > FORMAT_VERSION:
                raise NewerFormat("the statistics", content["format_version"], FORMAT_VERSION)
            if content["kind"] != KIND or content["sha256"] != _hash_of(content):
                raise InvalidInput("these are no statistics of kinesphere, or they were changed")
            return cls(
                dataset=content["dataset"],
                version=content["number"],
                episodes_sha256=content["episodes_sha256"],
                frames=content["frames"],
                valid=content["valid"],
                arrays={name: ArrayStatistics.from_json(values) for name, values in content["arrays"].items()},
                **choices,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"these are no statistics of kinesphere: {error!r}") from error


def statistics_key(dataset: str, number: int) -> str:
    """Where the statistics of a version lie.

    Args:
        dataset: name of the dataset.
        number: of the version.

    Returns:
        The key in the object store.
    """
    return f"datasets/{dataset}/versions/{number:06d}.statistics.json"


def find_statistics(version: OpenVersion, *, compute: bool = True, on_progress: OnProgress | None = None) -> Statistics:
    """The statistics that lie beside a version, else computed and put there; see `Dataset.statistics`.

    Args:
        version: whose statistics.
        compute: go through all frames if need be.
        on_progress: called with how many frames were read, over five passes, and how many will be.

    Returns:
        The statistics, of every array but `timestamp` and others of int64.

    Raises:
        NotFound: there are none yet and `compute` is False, or the version was erased meanwhile.
        CorruptObject: they are damaged or of another table, or an object of a shard is missing or damaged.
        NewerFormat: a later release wrote them.
    """
    key = statistics_key(version.name, version.version)
    stored = _stored(version, key)
    if stored is not None:
        return stored
    if not compute:
        raise NotFound(
            "statistics", f"{version.name}@{version.version}", hint="find them with: kinesphere info NAME --statistics"
        )
    found = compute_statistics(version, version.episodes, on_progress)
    content = json.dumps(found.to_json(), allow_nan=False).encode() + b"\n"
    try:
        version.objects.put_if_absent(key, content)  # whoever came first wrote the same bytes
    except StorageFailed as error:
        warnings.warn(f"statistics were computed and could not be kept: {error}", stacklevel=3)
        return found
    if not version.objects.exists(key.replace(".statistics.", ".")):
        version.objects.delete(key)  # an eraser that was at work meanwhile may have looked for it before it was there
        raise NotFound(
            f"version of {version.name}", str(version.version), hint="it was removed while its frames were being read"
        )
    return replace(found, is_stored=True)


def statistics_of(
    version: OpenVersion, frames: int, valid: Mapping[str, int], arrays: Mapping[str, ArrayStatistics]
) -> Statistics:
    """Statistics that belong to a version.

    Args:
        version: whose.
        frames: how many were looked at.
        valid: in how many each bit is set.
        arrays: by name.

    Returns:
        These, of no horizon and no choice.
    """
    sha256 = version.manifest["episodes"]["sha256"]
    return Statistics(version.name, version.version, sha256, frames, valid, arrays)


def count_flags(by_value: NDArray[np.int64]) -> dict[str, int]:
    """In how many frames each bit of `valid` is set.

    Args:
        by_value: how often each of its values occurs.

    Returns:
        By the name of the bit in lower case.
    """
    return {str(flag.name).lower(): int(by_value[(np.arange(len(by_value)) & flag) > 0].sum()) for flag in Valid}


def compute_statistics(version: OpenVersion, episodes: pa.Table, on_progress: OnProgress | None) -> Statistics:
    """Count all frames of some episodes, each once.

    Args:
        version: that has them.
        episodes: with the columns "shard", "first_frame" and "length".
        on_progress: called with how many frames were read, over all passes, and how many will be.

    Returns:
        Their statistics.

    Raises:
        CorruptObject: an object of a shard is missing or damaged.
    """
    runs = FrameRuns.of(episodes)
    specs = counted_arrays(version.shards, runs)
    counts = count_arrays(version.shards, runs, specs, on_progress)
    by_value = counts.pop("valid").by_value[0]
    found = {name: _statistics_of(specs[name], columns) for name, columns in counts.items()}
    return statistics_of(version, runs.frames, count_flags(by_value), found)


def _statistics_of(spec: ArraySpec, counts: ColumnCounts) -> ArrayStatistics:
    if spec.log_scale is not None:
        return ArrayStatistics.of_codes(counts, spec.shape, spec.log_scale)
    return ArrayStatistics.of(counts, spec.shape, spec.scale_factor)


def _stored(version: OpenVersion, key: str) -> Statistics | None:
    if not version.objects.exists(key):
        return None
    advice = "delete it, and it will be computed anew"
    content = version.objects.get(key)
    try:
        found = Statistics.from_json(json.loads(content))
    except ValueError as error:  # InvalidInput is one, and what JSON says too
        raise CorruptObject(f"object '{key}' is damaged or was changed; {advice}") from error
    if found.episodes_sha256 != version.manifest["episodes"]["sha256"]:
        raise CorruptObject(f"object '{key}' belongs to another table of episodes; {advice}")
    return replace(found, is_stored=True)


def _quantile_name(percent: int) -> str:
    return f"q{percent:02d}"


def _floats(nested: Any) -> NDArray[np.float64]:
    """Numbers in nested lists; null is NaN."""
    return np.array(nested, np.float64)


def _hash_of(content: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
