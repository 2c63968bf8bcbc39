"""What an extractor is: it reads a recording's video once and finds where the person's body is, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import ExtractorIdentity, Trajectory
from pose.networks.models import OnFetch
from pose.tracking.filtering import Filter
from storage.footage.video_reader import VideoFrame, VideoReader

DEFAULT = "mediapipe"
"""Name of the extractor that is taken unless another is chosen."""


@dataclass(frozen=True)
class ExtractorOptions:
    """What an operator chooses about an extraction; an extractor takes of it what concerns it."""

    pose_model: Path | None = None
    """Their own file with the model of bodies."""
    hand_model: Path | None = None
    """Their own file with the model of hands."""
    track_filter: Filter = "smooth"
    """Whether tracks are smoothed, or stay as the models gave them."""
    person_model: Path | None = None
    """Their own file with a model that finds people, for extractors that have none."""


@dataclass
class ExtractionReport:
    """What an extraction saw besides its trajectory, for those who judge it. Give an empty one to `extract`."""

    others: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """(frames,): how many other people were lately seen beside the contributor; 0 where they were not in view."""
    raw_wrists: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2, 2, 2), np.float32))
    """(frames, 2, 2, 2): by the body and by the hands, left and right, x and y of the wrist as the networks gave it,
    before any smoothing; in image widths and heights, NaN where it was not found."""


class Extractor(Protocol):
    """Turns videos into trajectories: the same video, the same bytes. Several threads may use one at a time."""

    @property
    def identity(self) -> ExtractorIdentity:
        """What decides a trajectory besides the video: hashes of the models, settings, and a revision of the code.

        Its `extractor_id` tells the trajectories of one extractor from those of another, so it changes whenever the
        bytes do.
        """

    def extract(
        self,
        video: VideoReader,
        *,
        recording: str,
        contributor: str,
        intrinsics: Mapping[str, Any] | None = None,
        on_frame: Callable[[VideoFrame], None] | None = None,
        report: ExtractionReport | None = None,
    ) -> Trajectory:
        """Read a video once, from its first frame to its last, and find the contributor.

        Args:
            video: the recording's video.
            recording: id of the recording.
            contributor: id of the person who recorded.
            intrinsics: of the camera, as `CameraCalibration.intrinsics` gives them; assumed by default.
            on_frame: called in the caller's thread with each decoded frame; it must not change the picture. The
                checks look at the video through it, so an extractor that leaves frames out must still call it.
            report: is filled in as far as the extractor can; what it leaves empty is not judged.

        Returns:
            The named arrays that the extractor finds, a row a frame, and in `specs` what they are; by default those of
            `kinesphere.trajectory.ARRAYS`. `timestamp`, int64 ns since the first frame, and `valid`, whose bits tell
            what was found, are among them. Numbers are float32 in their units, NaN where something is missing.

        Raises:
            InvalidVideo: the video cannot be read to its end.
        """
        ...


OpenExtractor = Callable[[ExtractorOptions, OnFetch | None], Extractor]
"""Opens an extractor with an operator's options, and fetches its models if need be, saying so in one line before."""
