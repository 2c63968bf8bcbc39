"""A recording becomes a trajectory: body and hands are found in two threads while the next frames are decoded."""

from __future__ import annotations

import importlib.metadata
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from kinesphere.trajectory import ADDITIONAL_ARRAYS, HANDS, ExtractorIdentity, Trajectory
from pose.extractors.extractor import ExtractionReport, ExtractorOptions
from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.wrist import grip, wrist_pose
from pose.landmarks import BODY_WRISTS, WRIST
from pose.motion.landmark_errors import landmark_deviations
from pose.motion.wrist_motion import wrist_motion
from pose.networks.models import Model, OnFetch, hand_model, pose_model
from pose.networks.sightings import Body
from pose.tracking.filtering import Filter, FilterSettings, smooth_tracks
from pose.tracking.followed_person import BodyFinder
from pose.tracking.hands import HandFinder
from pose.tracking.held_sides import hold_sides
from pose.tracking.person_finder import Thresholds
from pose.tracking.sides import Sides
from pose.tracking.track_collector import TrackBuilder
from storage.footage.video_reader import VideoFrame, VideoReader

REVISION = 7
"""Raised with every change of this room that changes a trajectory's bytes."""
FRAMES_AHEAD = 4
"""Decoded frames that may wait for the networks: enough to keep both threads busy, little memory at 4K."""


@dataclass(frozen=True)
class ExtractorSettings(Thresholds):
    """What can be chosen about an extraction; part of the extractor's identity."""

    filter: Filter = "smooth"
    """Whether tracks are smoothed, or stay as the networks gave them."""
    smoothing: FilterSettings = field(default_factory=FilterSettings)
    """How they are smoothed."""


_Found = Future[tuple[Body | None, Sides, bool]]
"""The body and the hands of a frame, and whether it is taken for a close-up of hands."""
_Find = Callable[[NDArray[np.uint8], int, bool], _Found]


def open_mediapipe(options: ExtractorOptions, on_fetch: OnFetch | None = None) -> MediaPipeExtractor:
    """The extractor with the user's own `.task` files, or else with the models in the cache, fetched if need be.

    Args:
        options: the models and the filter.
        on_fetch: told in one line before something is downloaded.

    Returns:
        The extractor.

    Raises:
        InvalidInput: a file is no bundle of the right kind, or it is given a model that it has no use for.
        MissingDependency, StorageFailed, CorruptObject: a model could not be fetched.
    """
    if options.person_model is not None:
        raise InvalidInput("extractor 'mediapipe' finds people by its model of bodies; leave --person-model out")
    models = pose_model(options.pose_model, on_fetch=on_fetch), hand_model(options.hand_model, on_fetch=on_fetch)
    return MediaPipeExtractor(*models, ExtractorSettings(filter=options.track_filter))


class MediaPipeExtractor:
    """Extracts trajectories of one person with MediaPipe's networks: a body, and the hands at its wrists."""

    def __init__(self, pose: Model, hand: Model, settings: ExtractorSettings | None = None) -> None:
        self._pose = pose
        self._hand = hand
        self._settings = settings or ExtractorSettings()

    @property
    def identity(self) -> ExtractorIdentity:
        """What decides the bytes of a trajectory besides the video."""
        with needs_extra("pose"):
            libraries = {
                name: importlib.metadata.version(name) for name in ("ai-edge-litert", "mediapipe", "opencv-python")
            }
        models = {f"pose/{name}": sha256 for name, sha256 in self._pose.sha256.items()}
        models |= {f"hand/{name}": sha256 for name, sha256 in self._hand.sha256.items()}
        return ExtractorIdentity("mediapipe", REVISION, models, {**asdict(self._settings), **libraries})

    def extract(
        self,
        video: VideoReader,
        *,
        recording: str,
        contributor: str,
        intrinsics: Mapping[str, Any] | None = None,
        on_frame: Callable[[VideoFrame], None] | None = None,
        on_progress: Callable[[int], None] | None = None,
        report: ExtractionReport | None = None,
    ) -> Trajectory:
        """Read a video once, from its first frame to its last, and find the contributor's body and hands.

        A frame in which nothing is found holds NaN; a video without a person is a trajectory of nothing else.
        Smoothed tracks come with the motion of the wrists and the uncertainty of every number; raw ones have neither.
        Lengths are those of a model human (`scale` "relative").

        Args:
            video: the recording's video.
            recording: id of the recording.
            contributor: id of the person who recorded.
            intrinsics: of the camera, as `CameraCalibration.intrinsics` gives them; assumed by default.
            on_frame: called with each decoded frame before the networks see it; it must not change the picture.
            on_progress: called with the number of frames done. Both are called in the caller's thread.
            report: is filled in.

        Returns:
            All arrays of `kinesphere.trajectory`, a row a frame; of raw tracks the basic ones.

        Raises:
            InvalidInput: MediaPipe cannot use a model.
            InvalidVideo: the video cannot be read to its end.
            MissingDependency: MediaPipe or a library that it links is not installed.
        """
        size = (video.width, video.height)
        tracks, others = TrackBuilder(), bytearray()
        with self._threads() as find:
            waiting: deque[tuple[int, _Found]] = deque()
            milliseconds, close_up = -1, False

            def finish_one() -> None:
                nonlocal close_up
                timestamp_ns, found = waiting.popleft()
                # Known a fixed number of frames later, however fast the threads are: the same video, the same bytes.
                body, hands, close_up = found.result()
                tracks.add(timestamp_ns, body, hands)
                others.append(0 if body is None else min(body.others, 255))
                if on_progress is not None:
                    on_progress(len(tracks))

            for frame in video.frames():
                if on_frame is not None:
                    on_frame(frame)
                milliseconds = max(milliseconds + 1, round(frame.timestamp_ns / 1_000_000))
                waiting.append((frame.timestamp_ns, find(frame.image, milliseconds, close_up)))
                if len(waiting) > FRAMES_AHEAD:
                    finish_one()
            while waiting:
                finish_one()
        intrinsics = assumed_intrinsics(*size) if intrinsics is None else intrinsics
        handedness, arrays = tracks.handedness, tracks.finish()
        hold_sides(arrays, handedness, size)
        if report is not None:
            report.others = np.frombuffer(others, np.uint8)
            by_body, by_hands = arrays["body_image"][:, BODY_WRISTS, :2], arrays["hands_image"][:, :, WRIST, :2]
            report.raw_wrists = np.stack((by_body, by_hands), axis=1)
        if self._settings.filter == "smooth":
            smooth_tracks(arrays, self._settings.smoothing)
            arrays |= _additional_arrays(len(arrays["timestamp"]))
            is_owner = wrist_motion(arrays, size, intrinsics)
            landmark_deviations(arrays, size, is_owner)
        else:
            for side in range(len(HANDS)):
                hand = arrays["hands_world"][:, side], arrays["hands_image"][:, side]
                arrays["wrist_pose"][:, side] = wrist_pose(*hand, side, size, intrinsics)
            arrays["grip"] = grip(arrays["hands_world"])
        return Trajectory(recording, contributor, self.identity, *size, "relative", intrinsics, arrays)

    @contextmanager
    def _threads(self) -> Iterator[_Find]:
        """A thread for the body and one for the hands, each of which takes its frames in order.

        The hands of a frame wait for its body, while the body thread goes on to the next frame. When the block ends,
        however it ends, both finish the few frames that wait, and the networks are freed.
        """
        settings = self._settings
        hands = HandFinder(self._hand, settings.confidence, settings.hand_presence, settings.max_hands)
        with (
            closing(BodyFinder(self._pose, settings.confidence)) as body,
            ThreadPoolExecutor(1, "body") as body_thread,
            ThreadPoolExecutor(1, "hands") as hand_thread,
        ):

            def find_hands(
                image: NDArray[np.uint8], body_found: Future[Body | None]
            ) -> tuple[Body | None, Sides, bool]:
                return *hands.find(image, body_found.result()), hands.is_close_up

            def find(image: NDArray[np.uint8], milliseconds: int, close_up: bool) -> _Found:
                body_found = body_thread.submit(body.find, image, milliseconds, close_up=close_up)
                return hand_thread.submit(find_hands, image, body_found)

            yield find


def _additional_arrays(frames: int) -> dict[str, NDArray[np.float32]]:
    """The arrays of motion and of its uncertainty, of which nothing is known yet."""
    return {name: np.full((frames, *spec.shape), np.nan, np.float32) for name, spec in ADDITIONAL_ARRAYS.items()}
