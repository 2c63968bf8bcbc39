"""Evidence for checks: a take of 640x480 with somebody who stands well in the picture, unless a test moves them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.checks.checks import run_checks
from annotate.checks.evidence import Evidence, Footage, ImageSampler
from kinesphere.trajectory import BASIC_ARRAYS, ExtractorIdentity, Trajectory, Valid
from pose.landmarks import BODY_SHOULDERS, BODY_WRISTS, KNUCKLES
from storage.catalog import CheckRecord
from storage.footage.video_reader import VideoFrame
from storage.recordings.recording import Origin
from storage.tasks.task import Criteria

SECOND = 1_000_000_000


def trajectory(valid: NDArray[np.uint8], times: NDArray[np.int64]) -> Trajectory:
    """Somebody who stands well in the picture wherever a body is valid, and swings both arms, hands or not."""
    arrays: dict[str, NDArray[Any]] = {
        name: np.full((len(times), *spec.shape), np.nan, np.float32) for name, spec in BASIC_ARRAYS.items()
    }
    arrays |= {"timestamp": times, "valid": valid}
    arrays["body_visibility"][:] = 1
    arrays["body_image"][:] = 0.5
    arrays["body_image"][:, BODY_SHOULDERS, 0] = 0.6, 0.4
    arrays["body_image"][:, BODY_WRISTS, 1] += 0.1 * np.sin(times / 1e9 * 3)[:, None]
    arrays["body_image"][(valid & Valid.BODY) == 0] = np.nan
    arrays["hands_image"][:] = 0.5
    arrays["hands_image"][:, :, KNUCKLES[1], 0] = 0.55
    arrays["hands_image"][:, :, :, 1] += 0.1 * np.sin(times / 1e9 * 3)[:, None, None]
    arrays["hands_image"][(valid & (Valid.LEFT_HAND | Valid.RIGHT_HAND)) == 0] = np.nan
    identity = ExtractorIdentity("test", 1, {}, {})
    return Trajectory("r", "c", identity, 640, 480, "relative", {}, arrays)


def run(
    valid: NDArray[np.uint8],
    times: NDArray[np.int64],
    samples: ImageSampler,
    damaged: Sequence[int] = (),
    origin: Origin | None = None,
    criteria: Criteria | None = None,
    **known: Any,
) -> dict[str, CheckRecord]:
    """All checks of a take of 640x480, by name; `known` is further evidence."""
    footage = Footage(times, 640, 480, samples, damaged, origin or Origin(kind="import"), known.pop("lengths", {}))
    evidence = Evidence(footage, **{"trajectory": trajectory(valid, times), **known})
    return {check.check: check for check in run_checks(criteria or Criteria(), evidence)}


def sampled(times: NDArray[np.int64], brightness: int) -> ImageSampler:
    """Samples of pictures of even noise around one brightness, in which a small square moves."""
    noise = np.random.default_rng(0).integers(-30, 31, (120, 160, 1), dtype=np.int16)
    image = np.repeat(np.clip(noise + brightness, 0, 255).astype(np.uint8), 3, axis=2)
    return sampled_frames(times, (with_square(image, index) for index in range(len(times))))


def with_square(image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    moved = image.copy()
    moved[20:40, 10 + index % 60 : 30 + index % 60] ^= 32
    return moved


def sampled_frames(times: NDArray[np.int64], images: Iterable[NDArray[np.uint8]]) -> ImageSampler:
    samples = ImageSampler()
    for index, (time, image) in enumerate(zip(times, images, strict=True)):
        samples(VideoFrame(index, int(time), image))
    return samples


def judged(valid: NDArray[np.uint8], times: NDArray[np.int64], brightness: int = 120) -> dict[str, CheckRecord]:
    return run(valid, times, sampled(times, brightness))


TIMES = np.arange(300, dtype=np.int64) * (SECOND // 30)
SEEN = np.full(300, Valid.BODY | Valid.LEFT_HAND, np.uint8)


@cache
def usual_samples() -> ImageSampler:
    """Those of `TIMES` in good light."""
    return sampled(TIMES, 120)


def person(**changed: NDArray[Any]) -> Trajectory:
    """The contributor of `trajectory` through `TIMES`, with some arrays changed."""
    made = trajectory(SEEN, TIMES)
    return replace(made, arrays={**made.arrays, **changed})


def checked(**known: Any) -> dict[str, CheckRecord]:
    """All checks of the usual take, by name; `known` is other evidence."""
    return run(SEEN, TIMES, usual_samples(), **known)
