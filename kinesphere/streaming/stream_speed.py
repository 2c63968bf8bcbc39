"""How fast a dataset streams from where it lies, for people who want to know whether their disks keep up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import get_args

from kinesphere.errors import InvalidInput
from kinesphere.streaming.stream import WindowStream
from kinesphere.streaming.stream_settings import DType, StreamSettings
from kinesphere.versions.open_version import OpenVersion

DTYPES: tuple[DType, ...] = get_args(DType)


@dataclass(frozen=True)
class StreamSpeed:
    """What a stream gave, after its first batch."""

    dtype: DType
    windows_per_second: float
    windows_per_cpu_second: float
    """CPU time of all threads of this process."""
    megabytes_per_second: float
    """Of the arrays handed over, in units of 10^6 bytes."""
    first_batch_seconds: float
    memory_bound_bytes: int
    requests_per_1000_windows: float
    """Reads of objects over windows, what was read ahead included; on an object store each read is a request."""


def measure_stream(dataset: OpenVersion, settings: StreamSettings, seconds: float) -> StreamSpeed:
    """Take batches of a stream for some seconds, epoch after epoch.

    Args:
        dataset: what to stream from.
        settings: what to stream; shuffled, if it should tell how fast a training can go.
        seconds: for how long, after the first batch.

    Returns:
        What was measured.

    Raises:
        InvalidInput: the dataset has a single batch.
    """
    stream = WindowStream(dataset, settings)
    if stream.batches < 2:
        raise InvalidInput(f"{dataset.name}@{dataset.version} has {stream.windows} windows: too few to measure")
    asked = time.perf_counter()
    began = cpu_began = first_batch_seconds = 0.0
    requests = dataset.requests
    windows = size = first_windows = 0
    while not windows or time.perf_counter() - began < seconds:
        for batch in stream:
            if not began:
                began, cpu_began = time.perf_counter(), time.process_time()
                first_batch_seconds = began - asked
                first_windows = len(batch["mask"])
                continue
            windows += len(batch["mask"])
            size += sum(values.nbytes for values in batch.values())
            if time.perf_counter() - began >= seconds:
                break
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return StreamSpeed(
        dtype=settings.dtype,
        windows_per_second=windows / wall,
        windows_per_cpu_second=windows / cpu,
        megabytes_per_second=size / wall / 1e6,
        first_batch_seconds=first_batch_seconds,
        memory_bound_bytes=stream.memory_bound_bytes,
        requests_per_1000_windows=1000 * (dataset.requests - requests) / (windows + first_windows),
    )
