"""What is measured: each measure's name, unit, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One row of the table."""

    name: str
    title: str
    unit: str
    digits: int = 3
    less_is_better: bool = True


MEASURES: tuple[Measure, ...] = (
    Measure("wrist", "wrist, as it is", "m"),
    Measure("wrist_p90", "  90th percentile", "m"),
    Measure("wrist_scaled", "wrist, after the best scale", "m"),
    Measure("wrist_scaled_p90", "  90th percentile", "m"),
    Measure("wrist_known", "wrist, focal length known, as it is", "m"),
    Measure("wrist_known_p90", "  90th percentile", "m"),
    Measure("wrist_known_scaled", "wrist, focal length known, after the best scale", "m"),
    Measure("wrist_known_scaled_p90", "  90th percentile", "m"),
    Measure("wrist_hidden", "wrist where the hand is hidden, as it is", "m"),
    Measure("scale", "the best scale", "times", 2),
    Measure("speed", "wrist's velocity", "m/s", 2),
    Measure("rotation", "wrist's rotation", "degrees", 1),
    Measure("grip", "grip", "0 to 1"),
    Measure("fingers", "fingers' joints", "degrees", 1),
    Measure("body", "body's joints in the picture", "px of 1280", 1),
    Measure("hand_points", "hands' landmarks in the picture", "px of 1280", 1),
    Measure("hand_swaps", "hands left for right", "% of frames", 1),
    Measure("body_swaps", "body left for right", "% of frames", 1),
    Measure("hands_found", "hands found of those seen", "%", 1, less_is_better=False),
    Measure("hands_wrong", "hands wrongly found", "% of found", 1),
    Measure("wrists_given", "wrists placed of hands seen", "%", 1, less_is_better=False),
    Measure("drift", "drift of the wrist", "m"),
    Measure("jitter", "jitter of the wrist", "m", 4),
    Measure("cost", "processor time", "ms a frame", 1),
)
"""All rows, in order; docs/measurements/accuracy.md says how each is measured."""

ROWS = {measure.name: measure for measure in MEASURES}
