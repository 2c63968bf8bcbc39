"""`python -m benchmarks.rendered_people`: make the clips of some seeds, which are then kept in the cache."""

from __future__ import annotations

import argparse
import time

from benchmarks.rendered_people.casting import draw_scene
from benchmarks.rendered_people.clips import clips_folder, clips_of


def main() -> None:
    """Make clips, or find them made, and say where they are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rendered_people", description=main.__doc__)
    parser.add_argument("--seeds", default="0..47", help="A..B, both included (0..47)")
    parser.add_argument("--where", action="store_true", help="only say where each clip is or will be")
    options = parser.parse_args()
    for seed in seeds_of(options.seeds):
        scene = draw_scene(seed)
        if options.where:
            print(seed, clips_folder(scene))
            continue
        began = time.perf_counter()
        folder = clips_of(scene)[0].folder
        what = f"{scene.framing}, {scene.actors[0].motion}"
        print(f"{seed} {folder} {what}, {time.perf_counter() - began:.0f} s", flush=True)


def seeds_of(given: str) -> range:
    """The seeds that `A..B` means, both included; `A` alone is one.

    Args:
        given: as typed.

    Returns:
        The seeds.

    Raises:
        ValueError: it is nothing of the kind.
    """
    first, _, last = given.partition("..")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise ValueError(f"seeds are given as A..B, such as 0..47, not {given!r}") from error


if __name__ == "__main__":
    main()
