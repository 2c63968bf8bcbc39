"""Windows a second of other formats; run by `benchmarks.storage` with the interpreter of an environment of theirs.

It needs numpy, and measures whichever of h5py, pyarrow, webdataset and mosaicml-streaming are installed there.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 64
BATCH = 256
CHUNK = 256
Arrays = dict[str, NDArray[np.int16]]


def measured(batches: Iterator[object], seconds: float) -> tuple[float, float]:
    """Windows a second of wall time and of CPU time, after the first batch."""
    next(batches)
    began, cpu = time.perf_counter(), time.process_time()
    taken = 0
    while time.perf_counter() - began < seconds:
        next(batches)
        taken += BATCH
    return taken / (time.perf_counter() - began), taken / (time.process_time() - cpu)


def random_windows(read: Callable[[int], list[NDArray[np.int16]]], frames: int) -> Iterator[list[NDArray[np.int16]]]:
    """Batches of windows that begin anywhere; `read` gives one window of every array."""
    random = np.random.default_rng(0)
    while True:
        windows = [read(int(start)) for start in random.integers(0, frames - WINDOW, BATCH)]
        yield [np.stack(values) for values in zip(*windows, strict=True)]


def hdf5(arrays: Arrays, folder: Path) -> Iterator[object]:
    """Chunked, compressed with gzip and shuffle: what every HDF5 reader can open."""
    import h5py  # type: ignore[import-not-found, unused-ignore]

    with h5py.File(folder / "tracks.h5", "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, chunks=(CHUNK, *values.shape[1:]), compression="gzip", shuffle=True)
    opened = h5py.File(folder / "tracks.h5")
    return random_windows(
        lambda start: [opened[name][start : start + WINDOW] for name in arrays], len(next(iter(arrays.values())))
    )


def parquet(arrays: Arrays, folder: Path) -> Iterator[object]:
    """A fixed-size list a frame, one row group a chunk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = {name: values.reshape(len(values), -1) for name, values in arrays.items()}
    table = pa.table(
        {n: pa.FixedSizeListArray.from_arrays(pa.array(v.reshape(-1)), v.shape[1]) for n, v in flat.items()}
    )
    pq.write_table(table, folder / "tracks.parquet", row_group_size=CHUNK, compression="zstd")
    file = pq.ParquetFile(folder / "tracks.parquet")

    def read(start: int) -> list[NDArray[np.int16]]:
        groups = range(start // CHUNK, (start + WINDOW - 1) // CHUNK + 1)
        rows = file.read_row_groups(list(groups)).slice(start % CHUNK, WINDOW)
        return [rows[n].combine_chunks().flatten().to_numpy().reshape(WINDOW, *arrays[n].shape[1:]) for n in arrays]

    return random_windows(read, table.num_rows)


def web_dataset(arrays: Arrays, folder: Path) -> Iterator[object]:
    """One sample a window, cut beforehand, drawn out of a shuffle buffer."""
    import webdataset as wds  # type: ignore[import-not-found, unused-ignore]

    frames = len(next(iter(arrays.values())))
    with wds.ShardWriter(f"file:{folder}/%04d.tar", maxcount=1000, verbose=0) as writer:
        for start in range(0, frames - WINDOW, WINDOW):
            parts = {f"{name}.bin": values[start : start + WINDOW].tobytes() for name, values in arrays.items()}
            writer.write({"__key__": f"{start:09d}", **parts})
    urls = sorted(str(path) for path in folder.glob("*.tar"))

    def decode(sample: dict[str, Any]) -> tuple[NDArray[np.int16], ...]:
        return tuple(
            np.frombuffer(sample[f"{n}.bin"], np.int16).reshape(WINDOW, *v.shape[1:]) for n, v in arrays.items()
        )

    data = wds.WebDataset(urls, shardshuffle=len(urls), empty_check=False).shuffle(1000).map(decode).batched(BATCH)
    return iter(data.repeat())


def mosaic(arrays: Arrays, folder: Path) -> Iterator[object]:
    """One sample a window, cut beforehand."""
    from streaming import MDSWriter, StreamingDataset  # type: ignore[import-not-found, unused-ignore]

    frames = len(next(iter(arrays.values())))
    shapes = {name: ",".join(map(str, (WINDOW, *values.shape[1:]))) for name, values in arrays.items()}
    with MDSWriter(out=str(folder), columns={n: f"ndarray:int16:{shape}" for n, shape in shapes.items()}) as writer:
        for start in range(0, frames - WINDOW, WINDOW):
            writer.write({name: np.asarray(values[start : start + WINDOW]) for name, values in arrays.items()})
    data = StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH)

    def batches() -> Iterator[object]:
        samples: list[Any] = []
        while True:
            for sample in data:
                samples.append(sample)
                if len(samples) == BATCH:
                    yield [np.stack([one[name] for one in samples]) for name in arrays]
                    samples.clear()

    return batches()


PEERS: dict[str, tuple[str, Callable[[Arrays, Path], Iterator[object]]]] = {
    "h5py, random": ("h5py", hdf5),
    "Parquet, random": ("pyarrow", parquet),
    "WebDataset, shuffle buffer": ("webdataset", web_dataset),
    "MosaicML Streaming, shuffled": ("streaming", mosaic),
}


def main() -> None:
    """Measure each on the `.npy` files of a folder; print JSON: `{peer: [windows/s, windows/CPU-s] or why not}`."""
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    arrays: Arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    found: dict[str, list[float] | str] = {}
    for peer, (module, batches) in PEERS.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            found[peer] = f"not measured: {error}"
            continue
        own = folder / module
        own.mkdir()
        found[peer] = list(measured(batches(arrays, own), seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
