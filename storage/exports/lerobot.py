"""The format `lerobot`: LeRobotDataset v3.0, written with PyArrow alone; its readers are LeRobot 0.4 and later.

Layout after https://github.com/huggingface/lerobot, `lerobot/datasets` of release 0.4.4.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.dataset import Dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import Objects
from storage.exports.export_content import (
    CONSENT_COLUMNS,
    OF_EPISODES,
    Content,
    OnProgress,
    arrow_array,
    column_type,
    described,
    number_names,
)
from storage.exports.export_target import clear
from storage.exports.feature_statistics import SAMPLE_FRAMES, FeatureStatistics
from storage.exports.parquet_files import ParquetFiles, parquet_bytes, read_owners

CODEBASE_VERSION = "v3.0"
FILES_A_CHUNK = 1000
FILE_MEGABYTES = 100
INFO, STATISTICS, TASKS, EPISODES = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/episodes"
RECORDING_TIME = "recording_time_ns"
_EPISODES_AT_ONCE = 1000
_INDEX = "__index_level_0__"
_COMPRESSION = "snappy"
_BY_FRAME = {"timestamp": pa.float32(), "frame_index": pa.int64(), "episode_index": pa.int64(), "index": pa.int64(),
             "task_index": pa.int64()}  # fmt: skip
"""The columns that every such dataset has, in this order."""
_PLACES = ("length", "data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index",
           "meta/episodes/chunk_index", "meta/episodes/file_index")  # fmt: skip
_EPISODES_SCHEMA = pa.schema(
    [
        ("episode_index", pa.int64()),
        ("tasks", pa.list_(pa.string())),
        *((name, pa.int64()) for name in _PLACES),
        *OF_EPISODES,
        *CONSENT_COLUMNS.items(),
    ]
)


class LeRobotExporter:
    """A feature for each array, `observation.<array>`, flat, with the name and unit of every number.

    Frames come at a fixed rate; missing is NaN. `recording_time_ns` says where each was in its recording. Each
    episode's row also says whose it is, what they consented to, and how much was found.
    """

    def check(self, content: Content) -> None:
        """Its frame rate is a whole number, all frames are at it, and all episodes have the arrays.

        Raises:
            InvalidInput: no such rate is given, or a shard lacks an array.
        """
        if content.rate is None or content.rate != int(content.rate) or content.rate < 1:
            raise InvalidInput("LeRobot datasets have one frame rate, in whole frames per second; give e.g. --rate 30")
        content.check_arrays()

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        """Write data, then episodes, tasks and statistics, last `meta/info.json`, without which nothing reads it."""
        assert content.rate is not None, "checked"
        dataset = content.opened()
        splits = content.splits(dataset)
        rows = dataset.episodes.take(pa.array(np.concatenate(list(splits.values())))).to_pylist()
        tasks = {text: number for number, text in enumerate(dict.fromkeys(map(content.instruction, rows)))}
        statistics = _statistics(content, rows)
        episodes = _write_data(content, dataset, target, rows, tasks, statistics, on_progress)
        _write_episodes(content, target, rows, episodes)
        target.put(TASKS, parquet_bytes(_tasks_table(tasks), _COMPRESSION))
        found = {name: values.to_json() for name, values in statistics.items()}
        target.put(STATISTICS, (json.dumps(found, indent=4) + "\n").encode())
        info = _info(content, episodes, tasks, {name: len(part) for name, part in splits.items()})
        target.put(INFO, (json.dumps(info, indent=4) + "\n").encode())

    def erase(self, target: Objects, content: Content | None, *, version: int, dataset: str, receipt: str) -> bool:
        """Delete everything: episodes and frames are numbered through, so that all would have to be written anew."""
        target.delete(INFO)
        clear(target)
        return False

    def contributors(self, target: Objects) -> pa.Table:
        """What the tables of episodes name; data without them is of a copy that was cut off.

        Raises:
            CorruptObject: there is data, and no table tells whose.
        """
        keys = target.keys(EPISODES)
        if not keys and target.keys("data"):
            raise CorruptObject(f"'{EPISODES}' is missing in {target.url}, so nobody can tell whose its data is")
        return read_owners(target, keys)


@dataclass(frozen=True)
class _Written:
    """Where the data of an episode is."""

    task: str
    frames: int
    first: int
    file: int


def _write_data(
    content: Content,
    dataset: Dataset,
    target: Objects,
    rows: Sequence[Mapping[str, Any]],
    tasks: Mapping[str, int],
    statistics: Mapping[str, FeatureStatistics],
    on_progress: OnProgress,
) -> list[_Written]:
    schema = _data_schema(content)
    total, done, first = sum(row["length"] for row in rows), 0, 0
    written = []
    with ParquetFiles(
        target,
        lambda number: _file_key("data", number),
        schema,
        limit_bytes=FILE_MEGABYTES * 2**20,
        compression=_COMPRESSION,
    ) as files:
        for number, row in enumerate(rows):
            task = content.instruction(row)
            parts, frames = [], 0
            for block in content.blocks(dataset, row):
                columns = _columns(content, block, frames, number, first, tasks[task])
                for name, values in columns.items():
                    statistics[name].add(values)
                parts.append(pa.table([arrow_array(values) for values in columns.values()], schema))
                frames += len(block["timestamp"])
            written.append(_Written(task, frames, first, files.number))
            files.write(pa.concat_tables(parts).combine_chunks())  # one row group an episode
            first += frames
            done += row["length"]
            on_progress(done, total)
    return written


def _columns(
    content: Content, block: Mapping[str, NDArray[Any]], frame: int, episode: int, first: int, task: int
) -> dict[str, NDArray[Any]]:
    """The columns of some frames of an episode, of which `frame` is the first."""
    assert content.rate is not None, "checked"
    frames = np.arange(frame, frame + len(block["timestamp"]))
    arrays: dict[str, NDArray[Any]] = {f"observation.{name}": block[name] for name in content.keys}
    return arrays | {
        RECORDING_TIME: block["timestamp"],
        "timestamp": (frames / content.rate).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.full(len(frames), episode),
        "index": first + frames,
        "task_index": np.full(len(frames), task),
    }


def _data_schema(content: Content) -> pa.Schema:
    arrays = [(f"observation.{name}", column_type(content.arrays[name])) for name in content.keys]
    return pa.schema([*arrays, (RECORDING_TIME, pa.int64()), *_BY_FRAME.items()])


def _write_episodes(
    content: Content, target: Objects, rows: Sequence[Mapping[str, Any]], written: Sequence[_Written]
) -> None:
    """Write the table of episodes: the row of each is at the place that its `episode_index` says."""
    with ParquetFiles(
        target,
        lambda number: _file_key(EPISODES, number),
        _EPISODES_SCHEMA,
        limit_bytes=FILE_MEGABYTES * 2**20,
        compression=_COMPRESSION,
    ) as files:
        for begin in range(0, len(rows), _EPISODES_AT_ONCE):
            part, places = rows[begin : begin + _EPISODES_AT_ONCE], written[begin : begin + _EPISODES_AT_ONCE]
            columns: dict[str, Any] = {
                "episode_index": range(begin, begin + len(part)),
                "tasks": [[place.task] for place in places],
                "length": [place.frames for place in places],
                "data/chunk_index": [place.file // FILES_A_CHUNK for place in places],
                "data/file_index": [place.file % FILES_A_CHUNK for place in places],
                "dataset_from_index": [place.first for place in places],
                "dataset_to_index": [place.first + place.frames for place in places],
                "meta/episodes/chunk_index": [files.number // FILES_A_CHUNK] * len(part),
                "meta/episodes/file_index": [files.number % FILES_A_CHUNK] * len(part),
                **{column.name: [row[column.name] for row in part] for column in OF_EPISODES},
                **content.consent_columns([row["recording"] for row in part]),
            }
            files.write(pa.table(columns, _EPISODES_SCHEMA))


def _tasks_table(tasks: Mapping[str, int]) -> pa.Table:
    """Tasks as pandas writes them, with the text as the index of the rows."""
    table = pa.table({"task_index": pa.array(tasks.values(), pa.int64()), _INDEX: pa.array(tasks, pa.string())})
    columns: list[dict[str, Any]] = [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"},
        {"name": None, "field_name": _INDEX, "pandas_type": "unicode", "numpy_type": "object"},
    ]
    pandas = {
        "index_columns": [_INDEX],
        "column_indexes": [],
        "columns": [column | {"metadata": None} for column in columns],
        "creator": {"library": "pyarrow", "version": pa.__version__},
    }
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _statistics(content: Content, rows: Sequence[Mapping[str, Any]]) -> dict[str, FeatureStatistics]:
    assert content.rate is not None, "checked"
    expected = sum(row["length"] / row["frame_rate"] for row in rows) * content.rate
    step = max(1, math.ceil(expected / SAMPLE_FRAMES))
    sizes = {f"observation.{name}": math.prod(content.arrays[name].shape) for name in content.keys}
    sizes |= dict.fromkeys((RECORDING_TIME, *_BY_FRAME), 1)
    return {name: FeatureStatistics(numbers, step) for name, numbers in sizes.items()}


def _info(
    content: Content, episodes: Sequence[_Written], tasks: Mapping[str, int], splits: Mapping[str, int]
) -> dict[str, Any]:
    assert content.rate is not None, "checked"
    ranges, begin = {}, 0
    for name, count in splits.items():
        ranges[name] = f"{begin}:{begin + count}"
        begin += count
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": "human",
        "total_episodes": len(episodes),
        "total_frames": sum(episode.frames for episode in episodes),
        "total_tasks": len(tasks),
        "chunks_size": FILES_A_CHUNK,
        "data_files_size_in_mb": FILE_MEGABYTES,
        "video_files_size_in_mb": 200,
        "fps": int(content.rate),
        "splits": ranges,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": _features(content),
    }


def _features(content: Content) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in content.keys:
        spec = content.arrays[name]
        names = number_names(spec) if spec.shape else None
        found[f"observation.{name}"] = {
            "dtype": spec.in_units, "shape": [math.prod(spec.shape)], "names": names, "info": described(spec),
        }  # fmt: skip
    times = {"units": "ns", "description": "time since the recording began"}
    found[RECORDING_TIME] = {"dtype": "int64", "shape": [1], "names": None, "info": times}
    return found | {
        name: {"dtype": str(np.dtype(kind.to_pandas_dtype())), "shape": [1], "names": None}
        for name, kind in _BY_FRAME.items()
    }


def _file_key(folder: str, number: int) -> str:
    return f"{folder}/chunk-{number // FILES_A_CHUNK:03d}/file-{number % FILES_A_CHUNK:03d}.parquet"
