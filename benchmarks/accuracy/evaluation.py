"""One clip, evaluated: what the plain loop and an extractor find in it, beside the truth."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.clip_errors import clip_errors, hands_seen, wrist_errors
from benchmarks.accuracy.coverage import Counted, coverage
from benchmarks.accuracy.estimate import Estimate, load_estimate, of_trajectory, save_estimate
from benchmarks.accuracy.plain_loop import plain_estimate
from benchmarks.rendered_people.casting import traits_of
from benchmarks.rendered_people.clips import Clip
from pose.extractors.extractor import ExtractorOptions
from pose.extractors.extractor_by_name import open_extractor
from pose.networks.models import hand_model, pose_model
from storage.footage.video_reader import open_video
from studio.commands.output import native_logs_aside

PLAIN = "plain MediaPipe"
_PLAIN_REVISION = 1
"""Raised with every change of the plain loop, whose results are kept beside the clips."""


@dataclass(frozen=True)
class Evaluated:
    """What one way found in one clip, in numbers."""

    seed: int
    camera: int
    way: str
    framing: str
    motion: str
    traits: dict[str, str]
    """Of the person: what tables of fairness group by."""
    errors: dict[str, float]
    """By the names of `measures.MEASURES`."""
    coverage: list[Counted] = field(default_factory=list)
    worst: list[tuple[int, float]] = field(default_factory=list)
    """Frames with the largest errors of a wrist that is seen, and these in metres; after each, none within a second."""


def evaluate(clips: Sequence[Clip], extractor: str, jobs: int, on_done: Callable[[Clip], None]) -> list[Evaluated]:
    """Evaluate the plain loop and an extractor on clips, in processes of their own.

    Args:
        clips: what to look at.
        extractor: its name.
        jobs: how many clips at a time.
        on_done: told after each.

    Returns:
        Two rows a clip, in order.
    """
    with ProcessPoolExecutor(jobs, get_context("spawn"), _load_libraries) as pool:
        waiting = [pool.submit(evaluate_clip, clip, extractor) for clip in clips]
        found = []
        for clip, rows in zip(clips, waiting, strict=True):
            found += rows.result()
            on_done(clip)
        return found


def _load_libraries() -> None:
    """Before any clock starts, as in `benchmarks.pose`."""
    for library in ("mediapipe.tasks.python.vision", "ai_edge_litert.interpreter", "cv2"):
        importlib.import_module(library)


def evaluate_clip(clip: Clip, extractor: str) -> list[Evaluated]:
    """Evaluate both ways on one clip.

    Args:
        clip: the clip.
        extractor: its name.

    Returns:
        The plain loop's row and the extractor's.
    """
    return [_evaluated(clip, way, *estimates) for way, estimates in estimates_of(clip, extractor)]


def estimates_of(clip: Clip, extractor: str) -> Iterator[tuple[str, tuple[Estimate, Estimate]]]:
    """What both ways find, each with the focal length that it takes by itself and with the true one.

    Args:
        clip: the clip.
        extractor: its name.

    Yields:
        The way's name and its two estimates.
    """
    with native_logs_aside():
        yield PLAIN, _plain(clip)
        yield extractor, (extracted(clip, extractor), extracted(clip, extractor, known=True))


def extracted(clip: Clip, extractor: str, *, known: bool = False) -> Estimate:
    """What an extractor finds in a clip.

    Args:
        clip: the clip.
        extractor: its name.
        known: whether it is told the true intrinsics.

    Returns:
        The estimate.
    """
    opened = open_extractor(extractor, ExtractorOptions())
    began = time.process_time()
    with open_video(clip.video) as video:
        camera = _known_camera(clip) if known else None
        trajectory = opened.extract(video, recording="benchmark", contributor="nobody", intrinsics=camera)
    return of_trajectory(trajectory, (time.process_time() - began) / len(trajectory))


def _known_camera(clip: Clip) -> dict[str, Any]:
    names = ("fx", "fy", "cx", "cy")
    return {**dict(zip(names, clip.truth.intrinsics.tolist(), strict=True)), "source": "calibrated"}


def _plain(clip: Clip) -> tuple[Estimate, Estimate]:
    """The plain loop's estimates, which are kept beside the clip: they change with the models and MediaPipe only."""
    described = [_PLAIN_REVISION, metadata.version("mediapipe"), dict(pose_model().sha256), dict(hand_model().sha256)]
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
    kept = [clip.video.with_name(f"plain-{key}-{camera}.npz") for camera in ("assumed", "known")]
    if not all(path.exists() for path in kept):
        size = clip.scene.width, clip.scene.height
        for path, estimate in zip(kept, plain_estimate(clip.video, size, _known_camera(clip)), strict=True):
            save_estimate(estimate, path)
    return load_estimate(kept[0]), load_estimate(kept[1])


def _evaluated(clip: Clip, way: str, found: Estimate, known: Estimate) -> Evaluated:
    main = clip.scene.actors[0]
    return Evaluated(
        clip.scene.seed,
        clip.camera,
        way,
        clip.scene.framing,
        main.motion,
        traits_of(main),
        clip_errors(clip.truth, found, known, clip.scene.width),
        coverage(clip.truth, found),
        _worst(clip, found),
    )


def _worst(clip: Clip, found: Estimate, count: int = 3) -> list[tuple[int, float]]:
    errors = np.where(hands_seen(clip.truth), wrist_errors(clip.truth, found), np.nan)
    largest = np.nan_to_num(errors, nan=-1).max(axis=1)
    chosen: list[tuple[int, float]] = []
    for frame in largest.argsort()[::-1]:
        if len(chosen) < count and largest[frame] > 0 and all(abs(frame - other) > 30 for other, _ in chosen):
            chosen.append((int(frame), float(largest[frame])))
    return chosen


def to_json(rows: Sequence[Evaluated], path: Path) -> None:
    """Write all numbers of all clips, for other programs.

    Args:
        rows: what was evaluated.
        path: the file to write.
    """
    plain = [asdict(row) for row in rows]
    for row in plain:
        row["errors"] = {name: None if np.isnan(value) else value for name, value in row["errors"].items()}
    path.write_text(json.dumps(plain, indent=1) + "\n")
