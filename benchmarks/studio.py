"""What the studio makes people wait for: `python -m benchmarks.studio`, or parts of it by `--only`.

The server is `kinesphere serve` in a process of its own on SQLite; the browser is Chromium. What each part does is said
in its module. Other programs count: the load is printed beside the times, and the server's processor time with them.
"""

from __future__ import annotations

import argparse

PARTS = ("player", "labelling", "editing", "uploads")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure (default: all)")
    parser.add_argument("--minutes", type=float, default=60, help="of the player's recording (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of labelling a clip (default: %(default)s)")
    parser.add_argument("--annotators", type=int, default=50, help="who edit at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="for which they edit (default: %(default)s)")
    parser.add_argument("--every", type=float, default=1, help="seconds between edits (default: %(default)s)")
    parser.add_argument("--contributors", type=int, default=200, help="who upload at once (default: %(default)s)")
    parser.add_argument("--entered", type=int, default=20, help="of them who hand a take in (default: %(default)s)")
    options = parser.parse_args()
    if "player" in options.only:
        from benchmarks.studio_player import player

        player(minutes=options.minutes)
    if "labelling" in options.only:
        from benchmarks.studio_labelling import labelling

        labelling(rounds=options.rounds)
    if "editing" in options.only:
        from benchmarks.studio_editing import editing

        editing(annotators=options.annotators, seconds=options.seconds, every=options.every)
    if "uploads" in options.only:
        from benchmarks.studio_uploads import uploading

        uploading(contributors=options.contributors, entered=options.entered)


if __name__ == "__main__":
    main()
