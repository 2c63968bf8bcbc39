"""The 133 landmarks of COCO-WholeBody (Jin et al., ECCV 2020), and which of them are landmarks of ours."""

from __future__ import annotations

from kinesphere.trajectory import BODY_LANDMARKS, HANDS, ArraySpec

_BODY = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_FEET = tuple(f"{side}_{part}" for side in HANDS for part in ("big_toe", "small_toe", "heel"))
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_HAND = ("hand_root", *(f"{finger}{joint}" for finger in _FINGERS for joint in (1, 2, 3, 4)))

WHOLE_BODY_LANDMARKS = (
    *_BODY,
    *_FEET,
    *(f"face-{point}" for point in range(68)),
    *(f"{side}_{point}" for side in HANDS for point in _HAND),
)
"""By the names of the data set. The face has the 68 points of iBUG."""

BODY = tuple(range(len(_BODY)))
"""Those of the body as COCO has it: what says whether a person was found."""
HAND_POINTS = tuple(
    tuple(WHOLE_BODY_LANDMARKS.index(f"{side}_{point}") for point in _HAND) for side in HANDS
)  # fmt: skip
"""The points of the left and of the right hand, in the order of `HAND_LANDMARKS`."""

_OTHER_NAMES = {
    "left_eye_inner": "face-42", "left_eye_outer": "face-45", "mouth_left": "face-54",
    "right_eye_inner": "face-39", "right_eye_outer": "face-36", "mouth_right": "face-48",
    **{f"{side}_foot_index": f"{side}_big_toe" for side in HANDS},
    **{f"{side}_pinky": f"{side}_pinky_finger1" for side in HANDS},
    **{f"{side}_index": f"{side}_forefinger1" for side in HANDS},
}  # fmt: skip
SAME_IN_BODY = tuple(
    (ours, WHOLE_BODY_LANDMARKS.index(_OTHER_NAMES.get(name, name)))
    for ours, name in enumerate(BODY_LANDMARKS)
    if _OTHER_NAMES.get(name, name) in WHOLE_BODY_LANDMARKS
)
"""Index in `BODY_LANDMARKS` and index here of each landmark that is in both. Missing are the thumbs of the body, which
are a point of our model's own."""

WHOLE_BODY_IMAGE = ArraySpec(
    "wholebody_image", "int16", (len(WHOLE_BODY_LANDMARKS), 2), ("frame", "wholebody_landmark", "xy"),
    "image widths (x), heights (y)", "landmarks of COCO-WholeBody in the picture, as the network gave them",
    "image: origin top left, x right, y down, of the upright picture", 1e-4, WHOLE_BODY_LANDMARKS,
)  # fmt: skip
WHOLE_BODY_SCORE = ArraySpec(
    "wholebody_score", "uint8", (len(WHOLE_BODY_LANDMARKS),), ("frame", "wholebody_landmark"), "1",
    "the network's score of each landmark", "", 1 / 255, WHOLE_BODY_LANDMARKS,
)  # fmt: skip
