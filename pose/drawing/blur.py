"""Hides the contributor's head in a video: a solid ellipse that follows the body track, and more where it is unsure.

Solid, because a Gaussian blur can be undone and a fine mosaic matched (McPherson et al. 2016, arXiv:1609.00408).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from kinesphere.trajectory import BODY_LANDMARKS, Valid
from pose.drawing.bystanders import SeenBodies
from pose.drawing.drawn_video import CLOCK, H264Writer, written_whole
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS
from storage.footage.video_reader import VideoReader

REVISION = 1
"""Raised with every change that hides other pixels."""
HEAD_LANDMARKS = tuple(range(BODY_LANDMARKS.index("nose"), BODY_LANDMARKS.index("mouth_right") + 1))
HEAD_OF_SHOULDERS, HEAD_OF_TRUNK = 0.50, 0.45
"""Height of the head over breadth of the shoulders and length of the trunk: 0.130 H to 0.259 H and 0.288 H
(Drillis and Contini 1966, in Winter 2009). The larger one counts: seen from the side, shoulders are narrow."""
HEAD_OF_FACE = 2.5
"""Height of the head over the spread of its landmarks, which leave out crown, hair and chin: for close-ups, in which
the shoulders are guessed."""
MARGIN = 1.7
"""Ellipse over head: hair, headgear, and landmarks that are off by a third of a head."""
TALLER = 1.2
"""Height of the ellipse over its width."""
AROUND_NS = 100_000_000
"""A head is hidden where it was and will be within this time: landmarks lag behind quick moves by a frame or two."""
HOLD_NS = 1_000_000_000
"""So long after the track was lost, and before it is found, the head is taken to be near its last or next place."""
GROWTH = 1.5
"""Radii by which a held ellipse grows in a second: a walking person moves about two heads a second, shoulders too."""
OTHERS_NS = 500_000_000
"""Bystanders are hidden this long before and after each look that found them: two looks may miss them."""
FILL = 128

_SAME_FRAME_NS = 1_000_000
_CRF = 20


@dataclass(frozen=True)
class HeadTrack:
    """Where the head is, frame by frame."""

    times: NDArray[np.int64]
    """(frames,) nanoseconds since the recording began, ascending."""
    centres: NDArray[np.float64]
    """(frames, 2) in pixels; NaN where it was not found."""
    radii: NDArray[np.float64]
    """(frames,) half the width of the ellipse in pixels; NaN where it was not found."""

    def ellipses(self, frames: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n, 3) centres and radii in pixels in some frames."""
        return np.column_stack([self.centres[frames], self.radii[frames]])


@dataclass(frozen=True)
class Cover:
    """What to hide in one frame: ellipses of centre and radius in pixels, or everything."""

    ellipses: tuple[tuple[float, float, float], ...]
    whole: bool = False


@dataclass(frozen=True)
class BlurReport:
    """What was hidden in a video."""

    frames: int
    located: int
    """Frames in which the track says where the head is."""
    held: int
    """Frames in which it was taken to be near where it was just before or is just after."""
    whole: int
    """Frames that are hidden whole, because nothing says where the head is."""


def head_track(trajectory: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> HeadTrack:
    """Where the head is by a trajectory's body landmarks; frames that a filter filled in do not count as found.

    Args:
        trajectory: `timestamp`, `body_image`, `valid` as `Dataset.episode()` gives them.
        size: width and height of the picture in pixels.
    """
    pixels = np.asarray(trajectory["body_image"][..., :2], np.float64) * np.array(size, np.float64)
    valid = np.asarray(trajectory["valid"]).astype(np.uint8)
    measured = ((valid & Valid.BODY) > 0) & ((valid & Valid.INTERPOLATED) == 0)
    pixels[~measured] = np.nan
    return HeadTrack(np.asarray(trajectory["timestamp"], np.int64), *_heads(pixels))


def _heads(pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (n, 2) and radii (n,) in pixels of the ellipses over the heads of (n, 33, 2) bodies."""
    head = pixels[:, HEAD_LANDMARKS]
    shoulders, hips = pixels[:, BODY_SHOULDERS], pixels[:, BODY_HIPS]
    face = np.linalg.norm(head.max(axis=1) - head.min(axis=1), axis=-1)
    breadth = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)
    trunk = np.linalg.norm(shoulders.mean(axis=1) - hips.mean(axis=1), axis=-1)
    height = np.max([HEAD_OF_SHOULDERS * breadth, HEAD_OF_TRUNK * trunk, HEAD_OF_FACE * face], axis=0)
    middle = (head.max(axis=1) + head.min(axis=1)) / 2
    return middle, np.where(np.isfinite(middle).all(axis=-1), height / 2 * MARGIN, np.nan)


def cover_at(track: HeadTrack, timestamp_ns: int, *, strict: bool = False) -> tuple[Cover, bool]:
    """What to hide at a time, and whether the head was located then.

    Found: the ellipses of all frames within `AROUND_NS`. Lost: those of the last place and the next one, if either is
    less than `HOLD_NS` away, growing with the time, and the way between. Else everything.

    Args:
        strict: hide everything wherever the head was not located.
    """
    found = np.flatnonzero(np.isfinite(track.radii))
    away = track.times[found] - timestamp_ns
    if len(found) and np.abs(away).min() <= _SAME_FRAME_NS:
        near = found[np.abs(away) <= AROUND_NS]
        return Cover(tuple((float(x), float(y), float(r)) for x, y, r in track.ellipses(near))), True
    if strict:
        return Cover((), whole=True), False
    sides = [
        places[-1:] if last else places[:1] for last, places in ((True, found[away < 0]), (False, found[away > 0]))
    ]
    ends = [int(place[0]) for place in sides if len(place) and abs(track.times[place[0]] - timestamp_ns) <= HOLD_NS]
    if not ends:
        return Cover((), whole=True), False
    grown = []
    for i in ends:
        seconds = abs(int(track.times[i]) - timestamp_ns) / 1e9
        grown.append(np.array([*track.centres[i], track.radii[i] * (1 + GROWTH * seconds)]))
    if len(grown) == 2:
        # close enough together that their union has no notch between
        steps = 1 + int(np.ceil(np.linalg.norm(grown[1][:2] - grown[0][:2]) / (min(grown[0][2], grown[1][2]) / 2)))
        grown = [grown[0] + share * (grown[1] - grown[0]) for share in np.linspace(0, 1, steps + 1)]
    return Cover(tuple((float(x), float(y), float(r)) for x, y, r in grown)), False


def others_at(seen: Sequence[SeenBodies], timestamp_ns: int) -> tuple[tuple[float, float, float], ...]:
    """Ellipses over all heads seen within `OTHERS_NS`, growing with the time between; whose they are is not asked."""
    ellipses: list[tuple[float, float, float]] = []
    for look in seen:
        away_ns = abs(look.timestamp_ns - timestamp_ns)
        if away_ns <= OTHERS_NS:
            centres, radii = _heads(look.bodies)
            grown = radii * (1 + GROWTH * away_ns / 1e9)
            ellipses += [(float(x), float(y), float(r)) for (x, y), r in zip(centres, grown, strict=True)]
    return tuple(ellipses)


def blur_video(
    video: VideoReader,
    trajectory: Mapping[str, NDArray[Any]],
    output: Path,
    *,
    others: Sequence[SeenBodies] = (),
    strict: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> BlurReport:
    """Write a video with the head of the person whom the trajectory follows hidden in every frame.

    Every frame that decodes, at its own time; H.264, no sound, no metadata. Of other people, the heads that
    `look_for_people` has found are hidden. `output` is there whole or not at all.

    Args:
        video: the recording's video, upright and of even size as recordings are.
        trajectory: the whole of its trajectory, as `Dataset.episode()` gives it.
        output: the MP4 file to write.
        others: everybody whom `look_for_people` has found in the video.
        strict: hide everything in each frame in which the head was not located, also for short gaps.
        on_progress: called with the number of frames done.

    Returns:
        In how many frames what was hidden.

    Raises:
        InvalidInput: the trajectory never saw the person, so that nothing could be shown.
        InvalidVideo: the video cannot be read.
        StorageFailed: `output` cannot be written.
    """
    size = video.width - video.width % 2, video.height - video.height % 2
    track = head_track(trajectory, (video.width, video.height))
    if not np.isfinite(track.radii).any():
        raise InvalidInput(
            f"no person was found in {video.name}, so every frame would be hidden; publish it without video"
        )
    ticks = video.ticks_per_second or CLOCK
    located = held = whole = frames = last_ns = 0
    with written_whole(output) as partial:
        file = H264Writer(partial, size, ticks, _CRF)
        try:
            for shown in video.pictures(even=True):
                cover, was_located = cover_at(track, shown.timestamp_ns, strict=strict)
                cover = replace(cover, ellipses=cover.ellipses + others_at(others, shown.timestamp_ns))
                file.write(_hidden(shown.picture, cover), round(shown.timestamp_ns * ticks / 1e9))
                located, held = located + was_located, held + (not was_located and not cover.whole)
                whole, frames, last_ns = whole + cover.whole, frames + 1, shown.timestamp_ns
                if on_progress is not None:
                    on_progress(frames)
        finally:
            file.close(max(1, round((video.info.duration_ns - last_ns) * ticks / 1e9)))
    return BlurReport(frames, located, held, whole)


def hidden_pixels(cover: Cover, width: int, height: int) -> NDArray[np.bool_]:
    """bool (height, width): which pixels a cover hides."""
    if cover.whole:
        return np.ones((height, width), np.bool_)
    with needs_extra("pose"):
        import cv2

    mask = np.zeros((height, width), np.uint8)
    for x, y, radius in cover.ellipses:
        # beyond this the ellipse hides the whole picture anyway, and OpenCV's integers overflow
        x, y, radius = (float(np.clip(value, -8 * (width + height), 8 * (width + height))) for value in (x, y, radius))
        axes = int(np.ceil(radius)), int(np.ceil(radius * TALLER))
        cv2.ellipse(mask, (round(x), round(y)), axes, 0, 0, 360, 1, cv2.FILLED)
    return mask > 0


def _hidden(picture: Any, cover: Cover) -> Any:
    """A copy of a picture in yuv420p with the cover's pixels grey."""
    import av

    plain = picture.reformat(format="yuv420p")
    planes = plain.to_ndarray()
    width, height = plain.width, plain.height
    mask = hidden_pixels(cover, width, height)
    planes[:height][mask] = FILL
    # a chroma sample spans four pixels: it goes if any of them does
    spanned = mask.reshape(height // 2, 2, width // 2, 2).any(axis=(1, 3)).ravel()
    planes[height:].reshape(2, -1)[:, spanned] = FILL
    made = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    made.color_range, made.colorspace = plain.color_range, plain.colorspace
    made.color_primaries, made.color_trc = plain.color_primaries, plain.color_trc
    return made
