"""What flushing before confirming costs: `python -m benchmarks.durability --folder FOLDER`.

Both ways take turns in one process: as it is, and as it was, by obstore, which copies and renames and flushes nothing.
The catalog flushes in both. FOLDER is to lie on the disk that is asked about.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import obstore

from capture.drafts.outbox import submit
from capture.drafts.upload import Server, send, server_at
from capture.drafts.video_import import import_video
from capture.recorder.h264_encoder import H264File, live_settings
from capture.recorder.mp4_file import TICKS_PER_SECOND
from kinesphere.objects.store import Objects
from kinesphere.trajectory import Trajectory
from pose.networks.models import fetch_clip
from storage.footage.video_reader import open_video
from storage.publishing.publish import publish
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace, create_workspace
from tests.support.generated_trajectories import make_trajectory
from tests.support.populated_workspaces import populate
from tests.support.studio_server import TOKEN, running_studio
from tests.support.submitted_takes import make_take, make_workspace

Call = Callable[[], object]
FEW, MANY = 10, 200
"""Accepted recordings that are published, of ten seconds each."""
_AGAIN = 9
"""So often the clip of seven seconds is repeated, to have one of a minute."""
_FRAME_RATE = 30


def main() -> None:
    """Measure both ways in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where workspaces are made, on a real disk")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, _prepared(Path(folder)) as calls:
        for number in range(chosen.rounds + 1):
            for what, prepare in calls.items():
                for way in ("before", "now") if number % 2 else ("now", "before"):
                    call = prepare(f"{way}-{number}")
                    seconds = _seconds(call, way)
                    if number:  # the first round warms up
                        found.setdefault(what, {}).setdefault(way, []).append(seconds)
    print(f"{'':34}{'before':>10}{'now':>10}{'ratio':>8}{'from':>8}{'to':>6}")
    for what, times in found.items():
        before, now = (statistics.median(times[way]) for way in ("before", "now"))
        ratios = sorted(now / before for before, now in zip(times["before"], times["now"], strict=True))
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        print(f"{what:34}{before * 1e3:>7.1f} ms{now * 1e3:>7.1f} ms{now / before:>8.2f}{low:>8.2f}{high:>6.2f}")


@contextmanager
def _prepared(folder: Path) -> Iterator[dict[str, Callable[[str], Call]]]:
    """What is measured, by its name: each is given a name of its own, prepares one call and gives it."""
    clip, minute = _clips(folder)
    clips = {f"{open_video(path).info.duration_ns / 1e9:.0f} s": path for path in (clip, minute)}
    here, sender = make_workspace(folder / "here"), make_workspace(folder / "sender")
    few, many = (create_workspace(folder / name) for name in ("few", "many"))
    populate(few, {"c001": FEW}, frames=300)
    populate(many, {"c001": MANY}, frames=300)
    trajectory = make_trajectory(1800, seed=1)
    with running_studio(make_workspace(folder / "server"), limit=1 << 30) as studio:
        server = server_at(studio.url, TOKEN)
        calls: dict[str, Callable[[str], Call]] = {}
        for length, path in clips.items():
            size = f"{length}, {path.stat().st_size / 1e6:.0f} MB"
            calls[f"submit ({size})"] = partial(_submitting, here, path)
            calls[f"submit --to ({size})"] = partial(_sending, sender, path, server)
        for workspace, count in ((few, FEW), (many, MANY)):
            calls[f"publish ({count} recordings)"] = partial(_publishing, workspace)
        calls["a shard of a minute"] = partial(_writing, few, trajectory)
        yield calls
    for workspace in (here, sender, few, many, studio.workspace):
        workspace.catalog.close()


def _submitting(workspace: Workspace, clip: Path, _name: str) -> Call:
    return partial(submit, workspace, make_take(workspace, clip).recording)


def _sending(workspace: Workspace, clip: Path, server: Server, _name: str) -> Call:
    return partial(send, workspace, make_take(workspace, clip).recording, server)


def _publishing(workspace: Workspace, name: str) -> Call:
    return partial(publish, workspace, name)


def _writing(workspace: Workspace, trajectory: Trajectory, name: str) -> Call:
    return partial(write_shard, workspace.objects, [trajectory], software={name: "1"})


def _clips(folder: Path) -> tuple[Path, Path]:
    """The real clip as it is stored, and one of more than a minute made of it."""
    clip, minute = folder / "clip.mp4", folder / "minute.mp4"
    import_video(fetch_clip(), clip)
    info = open_video(clip).info
    settings = live_settings(info.width, info.height, _FRAME_RATE)
    ticks = 0
    with H264File(minute, info.width, info.height, _FRAME_RATE, settings, fragmented=False) as file:
        for _ in range(_AGAIN):
            for picture in open_video(clip).pictures():
                file.write(picture.picture, ticks)
                ticks += TICKS_PER_SECOND // _FRAME_RATE
    return clip, minute


def _seconds(call: Call, way: str) -> float:
    if way == "before":
        with patch.object(Objects, "put_all", _unflushed), patch.object(Objects, "put_if_absent", _unflushed_if_absent):
            return _seconds(call, "now")
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _unflushed(objects: Objects, contents: Mapping[str, bytes | Path], **_: object) -> None:
    for key, data in contents.items():
        obstore.put(objects.raw, key, data, mode="overwrite")


def _unflushed_if_absent(objects: Objects, key: str, data: bytes, **_: object) -> bool:
    obstore.put(objects.raw, key, data, mode="create")
    return True


if __name__ == "__main__":
    main()
