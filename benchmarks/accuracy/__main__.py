"""`python -m benchmarks.accuracy`: rendered people before a virtual webcam, and how far from them trajectories are."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import fairness
from benchmarks.accuracy.error_card import BY_FRAMING, error_card, framing_columns
from benchmarks.accuracy.evaluation import Evaluated, evaluate, to_json
from benchmarks.accuracy.summary import coverage_columns, coverage_rows, framing_rows, measure_columns, measure_rows
from benchmarks.accuracy.worst_frames import draw_worst
from benchmarks.rendered_people.__main__ import seeds_of
from benchmarks.rendered_people.casting import draw_scene
from benchmarks.rendered_people.clips import Clip, clips_of
from kinesphere.errors import KinesphereError
from pose.extractors.extractor import DEFAULT, ExtractorOptions
from pose.extractors.extractor_by_name import open_extractor
from studio.commands.output import print_table, say

DEVELOPMENT = "0..47"
HELD_OUT = "1000..1047"
"""Seeds that nobody looks at while they work: only a release's numbers are made of them."""


def main() -> int:
    """Measure, and print tables."""
    parser = _parser()
    options = parser.parse_args()
    given = HELD_OUT if options.held_out else options.seeds
    traits = [trait for trait in options.by.split(",") if trait]
    if unknown := sorted(set(traits) - set(fairness.TRAITS)):
        parser.error(f"no trait {', '.join(unknown)}; there are {', '.join(fairness.TRAITS)}")
    try:
        seeds = seeds_of(given)
    except ValueError as error:
        parser.error(str(error))
    try:
        identity = open_extractor(options.extractor, ExtractorOptions(), say).identity
        clips = [clip for seed in seeds for clip in _clips(seed)]
        rows = evaluate(clips, options.extractor, options.jobs, lambda clip: say(f"seed {clip.scene.seed} measured"))
        _print(rows, options.extractor, given, traits)
        if options.json is not None:
            to_json(rows, options.json)
        if options.card is not None:
            what = f"{identity.name}, revision {identity.revision}, `{json.dumps(dict(identity.models))}`"
            options.card.write_text(error_card(rows, options.extractor, what, given), encoding="utf-8")
        if options.worst is not None:
            draw_worst(rows, {clip.scene.seed: clip for clip in clips}, options.extractor, options.worst)
    except KinesphereError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--seeds", default=DEVELOPMENT, help=f"scenes, A..B, both included ({DEVELOPMENT})")
    parser.add_argument(
        "--held-out", action="store_true", help=f"the seeds {HELD_OUT} that nobody looks at while working"
    )
    parser.add_argument("--jobs", type=int, default=1, help="clips at a time (1)")
    parser.add_argument("--extractor", default=DEFAULT, help=f"beside the plain loop ({DEFAULT})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number of every clip")
    parser.add_argument("--worst", type=Path, metavar="DIR", help="draw the worst ten frames")
    parser.add_argument("--card", type=Path, metavar="FILE", help="write the extractor's error card, in Markdown")
    parser.add_argument("--by", default="", metavar="TRAITS", help=f"compare people by {','.join(fairness.TRAITS)}")
    return parser


def _clips(seed: int) -> list[Clip]:
    scene = draw_scene(seed)
    return clips_of(scene, on_make=lambda: say(f"seed {seed}: rendering {scene.framing}, {scene.actors[0].motion}"))


def _print(rows: Sequence[Evaluated], extractor: str, seeds: str, traits: Sequence[str]) -> None:
    print_table(f"Rendered people, seeds {seeds}", measure_columns(rows), measure_rows(rows))
    print_table("By framing and motion, medians", framing_columns(rows), framing_rows(rows, BY_FRAMING))
    covered = coverage_rows(rows, extractor)
    if covered:
        print_table("Intervals of 90 %: how many hold the truth", coverage_columns(rows), covered)
    if traits:
        own = [row for row in rows if row.way == extractor]
        title = f"{extractor}: wrist after the best scale, by people"
        print_table(title, fairness.COLUMNS, fairness.fairness_rows(own, traits))


if __name__ == "__main__":
    sys.exit(main())
