"""How fast each step of the pipeline is on the real clip: `python -m benchmarks.spine`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from kinesphere.objects.store import open_objects
from kinesphere.trajectory import Trajectory
from kinesphere.version import __version__
from pose.networks.models import fetch_clip
from storage.footage.video_reader import open_video
from storage.shards.shard_writer import write_shard
from studio.commands.output import native_logs_aside, print_table
from studio.pipeline.extraction import load_extractor

Row = tuple[str, str, str]


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def extraction(clip: Path) -> tuple[list[Row], Trajectory]:
    """Frames a second of decoding and of extraction, against the clip's own pace."""
    with open_video(clip) as video:
        frames, pace = video.info.frames, video.info.frame_rate
        decoding = seconds(lambda: sum(1 for _ in video.frames()))
        made: list[Trajectory] = []
        with native_logs_aside():
            extractor = load_extractor()
            extracting = seconds(lambda: made.append(extractor.extract(video, recording="r", contributor="c")))
    rows = [
        ("decode to RGB", f"{frames / decoding:.0f} frames/s", f"{frames / decoding / pace:.1f} x the clip's pace"),
        (
            "extract body and hands",
            f"{frames / extracting:.0f} frames/s",
            f"{frames / extracting / pace:.1f} x the clip's pace",
        ),
    ]
    return rows, made[0]


def storage(trajectory: Trajectory) -> list[Row]:
    """Bytes a frame of a shard, against the same values as float32 with zstd."""
    with tempfile.TemporaryDirectory() as folder:
        shard = write_shard(open_objects(folder), [trajectory], software={"kinesphere": __version__})
        plain = zarr.open_group(Path(folder) / "plain", mode="w")
        for name in trajectory.specs:
            values = np.asarray(trajectory.arrays[name])
            values = values if values.dtype.kind != "f" else values.astype(np.float32)
            plain.create_array(
                name, data=values, compressors=BloscCodec(cname="zstd", clevel=3), chunks=(256, *values.shape[1:])
            )
        float32 = sum(path.stat().st_size for path in (Path(folder) / "plain").rglob("*") if path.name != "zarr.json")
    frames = len(trajectory)
    return [
        ("shard", f"{shard.size_bytes / frames:.0f} bytes/frame", f"{shard.size_bytes / float32:.2f} x float32 zstd-3")
    ]


def main() -> None:
    """Print the table."""
    rows, trajectory = extraction(fetch_clip())
    print_table("The pipeline on the demo's clip", ["step", "measured", "ratio"], [*rows, *storage(trajectory)])


if __name__ == "__main__":
    main()
