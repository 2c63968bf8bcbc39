"""A body and a hand as the networks see them, and MediaPipe's hand landmarker, frame after frame of one video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import InvalidInput, needs_extra
from storage.trajectory import HANDS

from .models import Model


@dataclass(frozen=True)
class Body:
    """One person in one frame, all float32, in the units and frames of `storage.trajectory`."""

    image: NDArray[np.float32]
    """(33, 3): x right in image widths, y down in image heights, z relative in image widths."""
    world: NDArray[np.float32]
    """(33, 3): metres of a model human, origin between the hips."""
    visibility: NDArray[np.float32]
    """(33,): 0..1."""
    sure: bool = True
    """False where this may be somebody else than the contributor."""
    person: int = 0
    """Which person of the video this is, counted as they were followed."""


@dataclass(frozen=True)
class Hand:
    """One hand in one frame, not yet given to anybody, all float32."""

    image: NDArray[np.float32]
    """(21, 3): x right in image widths, y down in image heights, z relative to the wrist in image widths."""
    world: NDArray[np.float32]
    """(21, 3): metres of a model hand, origin at its centre."""
    side: int
    """Index into `HANDS`: which hand of its owner the model takes it for."""
    score: float
    """How sure the model is of the side, 0.5..1."""


class HandLandmarker:
    """Finds hands, whosever they are, in the frames of one video or in single pictures.

    In frames it follows the hands that it has found; each single picture is looked at afresh.
    """

    def __init__(self, model: Model, confidence: float, max_hands: int) -> None:
        vision, base_options = _tasks(model)

        def created(mode: Any, hands: int) -> Any:
            options = vision.HandLandmarkerOptions(
                base_options=base_options,
                running_mode=mode,
                num_hands=hands,
                min_hand_detection_confidence=confidence,
                min_hand_presence_confidence=confidence,
                min_tracking_confidence=confidence,
            )
            return _created(vision.HandLandmarker, options, model)

        self._in_video = created(vision.RunningMode.VIDEO, max_hands)
        self._in_pictures = created(vision.RunningMode.IMAGE, 1)

    def find(self, image: NDArray[np.uint8], timestamp_ms: int) -> tuple[Hand, ...]:
        """The hands in the next frame.

        Args:
            image: uint8 (height, width, 3), RGB.
            timestamp_ms: time of the frame, larger than at the call before.
        """
        return _hands(self._in_video.detect_for_video(_picture(image), timestamp_ms))

    def find_one(self, image: NDArray[np.uint8]) -> Hand | None:
        """The clearest hand in a single picture, uint8 (height, width, 3), RGB."""
        return next(iter(_hands(self._in_pictures.detect(_picture(image)))), None)

    def close(self) -> None:
        """Free the networks."""
        self._in_video.close()
        self._in_pictures.close()


def _hands(found: Any) -> tuple[Hand, ...]:
    return tuple(
        Hand(
            _coordinates(landmarks),
            _coordinates(world),
            HANDS.index(categories[0].category_name.lower()),
            float(categories[0].score),
        )
        for landmarks, world, categories in zip(
            found.hand_landmarks, found.hand_world_landmarks, found.handedness, strict=True
        )
    )


def _tasks(model: Model) -> tuple[Any, Any]:
    """The module that holds the landmarkers, and the options that every task takes."""
    with needs_extra("pose"):
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions
    return vision, BaseOptions(model_asset_path=str(model.path))


def _created(kind: Any, options: Any, model: Model) -> Any:
    try:
        return kind.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidInput(f"MediaPipe cannot use the model {model.path}: {reason}") from error


def _picture(image: NDArray[np.uint8]) -> Any:
    import mediapipe

    # MediaPipe copies the buffer without a look at its strides: a frame with padded rows would come out sheared,
    # and nothing would be found in it.
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def _coordinates(landmarks: Any) -> NDArray[np.float32]:
    return np.array([(landmark.x, landmark.y, landmark.z) for landmark in landmarks], np.float32)
