"""A trajectory by networks of the user's own: RTMW, DWPose or RTMPose of the whole body, in ONNX Runtime."""

from __future__ import annotations

import importlib.metadata
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from kinesphere.trajectory import ARRAYS, ExtractorIdentity, Trajectory, Valid
from pose.extractors.extractor import ExtractionReport, ExtractorOptions
from pose.extractors.whole_body_landmarks import (
    BODY,
    HAND_POINTS,
    SAME_IN_BODY,
    WHOLE_BODY_IMAGE,
    WHOLE_BODY_LANDMARKS,
    WHOLE_BODY_SCORE,
)
from pose.geometry.intrinsics import assumed_intrinsics
from pose.landmarks import BODY_WRISTS, WRIST
from pose.networks.models import OnFetch
from pose.networks.person_boxes import PersonNetwork
from pose.networks.simcc import WholeBodyNetwork
from storage.footage.video_reader import VideoFrame, VideoReader

REVISION = 1
"""Raised with every change that changes a trajectory's bytes."""
FRAMES_AHEAD = 4
"""Decoded frames that may wait for the network."""
GIVEN = ("timestamp", "body_image", "body_visibility", "hands_image", "hand_score", "valid")
"""The standard arrays that it gives. It knows no depth, so there are no lengths, wrist poses and grips."""
SPECS = {name: ARRAYS[name] for name in GIVEN} | {spec.name: spec for spec in (WHOLE_BODY_IMAGE, WHOLE_BODY_SCORE)}

Floats = NDArray[np.float64]
_Found = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(133, 2) in image widths and heights, and (133,) scores from 0 to 1."""


@dataclass(frozen=True)
class RtmwSettings:
    """What decides whether something was found; part of the extractor's identity."""

    confidence: float = 0.3
    """Score from which on a landmark is believed; MMPose's own choice for drawing them."""
    fewest: int = 4
    """Believed landmarks of the body (of 17) from which on there is one."""
    person: float = 0.5
    """Score from which on a box of the detector is a person."""
    room: float = 1.25
    """The box of the next frame in boxes around the believed landmarks: a person moves, and has hair and feet."""


def open_rtmw(options: ExtractorOptions, on_fetch: OnFetch | None = None) -> RtmwExtractor:
    """The extractor with the user's own ONNX files; nothing is fetched.

    Args:
        options: the model of the whole body as `pose_model`, and perhaps one that finds people as `person_model`.
        on_fetch: is not called.

    Returns:
        The extractor.

    Raises:
        InvalidInput: there is no model, one is of the wrong kind, or one of hands was given.
        MissingDependency: ONNX Runtime is not installed.
    """
    if options.pose_model is None:
        raise InvalidInput(
            "extractor 'rtmw' needs the weights of a whole-body network that you have: --pose-model FILE.onnx "
            "(RTMW, DWPose or RTMPose with 133 landmarks; they are not part of kinesphere)"
        )
    if options.hand_model is not None:
        raise InvalidInput("extractor 'rtmw' finds hands with the rest of the body; leave --hand-model out")
    people = None if options.person_model is None else PersonNetwork(options.person_model)
    return RtmwExtractor(WholeBodyNetwork(options.pose_model, len(WHOLE_BODY_LANDMARKS)), people)


class RtmwExtractor:
    """Extracts the landmarks of one person, who is followed from frame to frame; its tracks are never smoothed."""

    def __init__(
        self, body: WholeBodyNetwork, people: PersonNetwork | None = None, settings: RtmwSettings | None = None
    ) -> None:
        self._body = body
        self._people = people
        self._settings = settings or RtmwSettings()

    @property
    def identity(self) -> ExtractorIdentity:
        """What decides the bytes of a trajectory besides the video."""
        with needs_extra("onnx"):
            libraries = {name: importlib.metadata.version(name) for name in ("onnxruntime", "opencv-python")}
        models = {"whole_body": self._body.sha256}
        if self._people is not None:
            models["people"] = self._people.sha256
        return ExtractorIdentity("rtmw", REVISION, models, {**asdict(self._settings), "filter": "none", **libraries})

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
        """Read a video once, from its first frame to its last, and find the contributor's landmarks in the picture.

        The person is looked for in the whole picture, or by the detector in the largest box, until a body is found;
        then around where it was in the frame before, and if it is not there, as at first.

        Args:
            video: the recording's video.
            recording: id of the recording.
            contributor: id of the person who recorded.
            intrinsics: of the camera; are handed through, and assumed by default.
            on_frame: called in the caller's thread with each decoded frame; it must not change the picture.
            report: is told where body and hands have their wrists, and nothing of other people.

        Returns:
            `wholebody_image`, `wholebody_score`, and what follows from them of the standard arrays; see `SPECS`.

        Raises:
            InvalidInput: ONNX Runtime cannot run a network.
            InvalidVideo: the video cannot be read to its end.
        """
        size = video.width, video.height
        times: list[int] = []
        found: list[_Found] = []
        box: Floats | None = None

        def find(image: NDArray[np.uint8]) -> _Found:
            nonlocal box
            places, scores = self._body.find(image, self._start(image) if box is None else box)
            if box is not None and not self._is_body(scores):  # has left the box
                places, scores = self._body.find(image, self._start(image))
            box = self._next_box(places, scores)
            shares = (places / size).astype(np.float32)
            return shares, np.clip(scores, 0, 1).astype(np.float32)

        with ThreadPoolExecutor(1, "whole body") as thread:
            waiting: deque[Future[_Found]] = deque()
            for frame in video.frames():
                if on_frame is not None:
                    on_frame(frame)
                times.append(frame.timestamp_ns)
                waiting.append(thread.submit(find, frame.image))
                if len(waiting) > FRAMES_AHEAD:
                    found.append(waiting.popleft().result())
            found += [result.result() for result in waiting]
        arrays = self._arrays(times, found)
        if report is not None:
            by_body, by_hands = arrays["body_image"][:, BODY_WRISTS, :2], arrays["hands_image"][:, :, WRIST, :2]
            report.raw_wrists = np.stack((by_body, by_hands), axis=1)
        intrinsics = assumed_intrinsics(*size) if intrinsics is None else intrinsics
        return Trajectory(recording, contributor, self.identity, *size, "relative", intrinsics, arrays, SPECS)

    def _start(self, image: NDArray[np.uint8]) -> Floats:
        """Where to look for somebody who is not followed."""
        height, width = image.shape[:2]
        people = np.zeros((0, 4)) if self._people is None else self._people.find(image, self._settings.person)
        return people[0] if len(people) else np.array([0.0, 0.0, width, height])

    def _next_box(self, places: Floats, scores: Floats) -> Floats | None:
        """The box around somebody who was found, in which to look in the next frame."""
        if not self._is_body(scores):
            return None
        believed = places[scores >= self._settings.confidence]
        low, high = believed.min(axis=0), believed.max(axis=0)
        more = (self._settings.room - 1) / 2 * (high - low)
        return np.concatenate([low - more, high + more])

    def _is_body(self, scores: NDArray[np.floating[Any]]) -> bool:
        return int((scores[list(BODY)] >= self._settings.confidence).sum()) >= self._settings.fewest

    def _arrays(self, times: list[int], found: list[_Found]) -> dict[str, NDArray[Any]]:
        """The arrays of a trajectory: the landmarks by their own names, and those that are ours too."""
        frames = len(times)
        arrays: dict[str, NDArray[Any]] = {
            name: np.full((frames, *spec.shape), np.nan, np.float32) for name, spec in SPECS.items()
        }
        arrays["timestamp"], arrays["valid"] = np.array(times, np.int64), np.zeros(frames, np.uint8)
        for name in ("body_visibility", "hand_score", "wholebody_score"):
            arrays[name][:] = 0
        ours, theirs = (list(indices) for indices in zip(*SAME_IN_BODY, strict=True))
        for row, (places, scores) in enumerate(found):
            hands = [list(points) for points in HAND_POINTS]
            hand_scores = [float(scores[points].mean()) for points in hands]
            are_hands = [score >= self._settings.confidence for score in hand_scores]
            if self._is_body(scores):
                arrays["body_image"][row, ours, :2] = places[theirs]
                arrays["body_visibility"][row, ours] = scores[theirs]
                arrays["valid"][row] |= Valid.BODY
            elif not any(are_hands):
                continue
            arrays["wholebody_image"][row], arrays["wholebody_score"][row] = places, scores
            for side, flag in enumerate((Valid.LEFT_HAND, Valid.RIGHT_HAND)):
                if are_hands[side]:
                    arrays["hands_image"][row, side, :, :2] = places[hands[side]]
                    arrays["hand_score"][row, side] = hand_scores[side]
                    arrays["valid"][row] |= flag
        return arrays
