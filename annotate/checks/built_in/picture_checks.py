"""Checks of the picture: its light, its sharpness, and whether it stands still or shakes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence, LiveView
from annotate.checks.findings import Check, Finding, ranges_of
from annotate.checks.limits import Limit, Unit
from capture.image_measurements import ImageMeasurement

FROZEN_CHANGE = 1.0
"""Levels of luma by which no part of a frozen picture changes: what rounding and encoding it again can do."""


def _median(
    evidence: Evidence, measured: Callable[[ImageMeasurement], float], is_bad: Callable[[NDArray[np.float64]], object]
) -> tuple[float, tuple[tuple[int, int], ...]]:
    """The median over the recording, and the ranges of the samples that are beyond the threshold of doubt."""
    samples = evidence.footage.samples
    values = np.array([measured(sample) for sample in samples.measurements])
    starts = np.array(samples.times_ns, dtype=np.int64)
    return float(np.median(values)), ranges_of(np.asarray(is_bad(values), np.bool_), starts, evidence.footage.end_ns)


def _brightness(evidence: Evidence, limit: Limit) -> Finding:
    light, ranges = _median(evidence, lambda sample: sample.brightness, lambda values: values < limit.doubt)
    return Finding(light, f"mean brightness is {light:.0f} of 255", ranges)


def _clipped(evidence: Evidence, limit: Limit) -> Finding:
    lost, ranges = _median(
        evidence, lambda sample: sample.clipped_dark + sample.clipped_bright, lambda values: values > limit.doubt
    )
    return Finding(lost, f"{lost:.0%} of the picture is pure black or white", ranges)


def _sharpness(evidence: Evidence, limit: Limit) -> Finding:
    sharp, ranges = _median(evidence, lambda sample: sample.sharpness, lambda values: values < limit.doubt)
    return Finding(sharp, f"sharpness is {sharp:.0f}", ranges)


def _blur(evidence: Evidence, limit: Limit) -> Finding:
    soft, ranges = _median(evidence, lambda sample: sample.blur, lambda values: values > limit.doubt)
    return Finding(soft, f"blur is {soft:.2f} of 1", ranges)


def _frozen(evidence: Evidence, limit: Limit) -> Finding:
    frozen = np.array([motion.largest_change <= FROZEN_CHANGE for motion in evidence.footage.samples.motions], np.bool_)
    share = float(frozen.mean()) if len(frozen) else 0.0
    return Finding(share, f"{share:.0%} of the frames repeat the one before", _moving_ranges(evidence, frozen))


def _shake(evidence: Evidence, limit: Limit) -> Finding:
    shift = np.array([motion.shift for motion in evidence.footage.samples.motions])
    shake = float(np.sqrt(np.mean(shift**2))) if len(shift) else 0.0
    words = f"the picture as a whole moves by {shake:.3f} of its width from frame to frame"
    return Finding(shake, words, _moving_ranges(evidence, shift > limit.doubt))


def _moving_ranges(evidence: Evidence, bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    times = np.array(evidence.footage.samples.motion_times_ns, dtype=np.int64)
    return ranges_of(bad, times, int(times[-1]) + 1) if len(times) else ()


def _live_darkness(view: LiveView, limit: Limit) -> str | None:
    return "It is dark" if view.measured.brightness < limit.doubt else None


def _live_clipping(view: LiveView, limit: Limit) -> str | None:
    dark, bright = view.measured.clipped_dark, view.measured.clipped_bright
    if dark + bright <= limit.doubt:
        return None
    return f"Much of the picture is pure {'white' if bright > dark else 'black'}"


def _live_sharpness(view: LiveView, limit: Limit) -> str | None:
    return _BLURRED if view.measured.sharpness < limit.doubt else None


def _live_blur(view: LiveView, limit: Limit) -> str | None:
    return _BLURRED if view.measured.blur > limit.doubt else None


_BLURRED = "The picture is blurred"
_SHARPEN = "wipe the lens, move back a little, or turn on more light"

CHECKS = (
    Check(
        name="brightness",
        direction="at least", doubt=40, fail=10, unit=Unit.LUMA,
        find=_brightness,
        live=_live_darkness,
        meaning="mean luma (ITU-R BT.601) of a picture, twice a second; the median over time",
        advice="turn on a light in front of you, or sit facing the window",
    ),
    Check(
        name="clipped_share",
        direction="at most", doubt=0.4, fail=0.9, unit=Unit.SHARE,
        find=_clipped,
        live=_live_clipping,
        meaning="pixels whose luma is at most 5 or at least 250, twice a second; the median over time",
        advice="turn the camera away from windows and lamps, or give a dark room more light",
    ),
    Check(
        name="sharpness",
        direction="at least", doubt=15, fail=0, unit=Unit.NONE,
        find=_sharpness,
        live=_live_sharpness,
        meaning="variance of the Laplacian (Pech-Pacheco et al. 2000) at 640 pixels of width, twice a second; the "
        "median over time",
        advice=_SHARPEN,
    ),
    Check(
        name="blur",
        direction="at most", doubt=0.5, fail=1, unit=Unit.SHARE,
        find=_blur,
        live=_live_blur,
        meaning="no-reference blur (Crété-Roffet et al. 2007) in the worse direction, so of focus or motion, twice a "
        "second; the median over time",
        advice=_SHARPEN,
    ),
    Check(
        name="frozen_share",
        direction="at most", doubt=0.1, fail=0.9, unit=Unit.SHARE,
        find=_frozen,
        meaning="frames in which no square of 4x4 measured pixels changes by more than 1 level of luma",
        advice="close other programs that use the camera, and plug it in directly",
    ),
    Check(
        name="camera_shake",
        direction="at most", doubt=0.01, fail=0.1, unit=Unit.WIDTHS,
        find=_shake,
        meaning="how far the whole picture moves from frame to frame (phase correlation, Kuglin and Hines 1975), root "
        "mean square",
        advice="put the camera on something firm, and do not touch the table it stands on",
    ),
)  # fmt: skip
