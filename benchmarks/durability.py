"""What flushing before confirming costs: `submit` and `publish` here and in an earlier checkout, in turn.

`python -m benchmarks.durability --against FOLDER`, where FOLDER is a checkout from before. Each number is the median
over `--rounds` of one process each, in which each call is timed by itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VIDEO_BYTES = 20 << 20
"""Of a take of half a minute at 720p."""
RECORDINGS = 20
_CHILD = """
import json, shutil, sys, time
from pathlib import Path
from capture.drafts.outbox import submit
from storage.publishing.publish import publish
from storage.recordings.recording import State
from storage.workspace import create_workspace
from tests.support.populated_workspaces import describe, populate
folder, size, recordings = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
workspace = create_workspace(folder / "workspace")
populate(workspace, {"c001": recordings}, frames=900)
draft = describe("c001", seed=99, frames=900)
outbox = workspace.drafts / draft.recording
outbox.mkdir(parents=True)
(outbox / "recording.json").write_bytes(draft.to_bytes())
(outbox / "video.mp4").write_bytes(bytes(range(256)) * (size // 256))
workspace.catalog.add_recording(draft, who="c001")
import os; os.sync()
began = time.perf_counter(); submit(workspace, draft.recording); submitted = time.perf_counter() - began
began = time.perf_counter(); publish(workspace, "kitchen"); published = time.perf_counter() - began
print(json.dumps({"submit": submitted, "publish": published}))
"""


def main() -> None:
    """Measure both in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, required=True, help="a checkout from before")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    here = Path(__file__).parents[1]
    found: dict[str, dict[str, list[float]]] = {"before": {}, "now": {}}
    for _ in range(chosen.rounds):
        for name, checkout in (("before", chosen.against), ("now", here)):
            for what, seconds in _measured(checkout).items():
                found[name].setdefault(what, []).append(seconds)
    print(f"{'':24}{'before':>10}{'now':>10}{'ratio':>8}")
    for what in found["now"]:
        before, now = (statistics.median(found[name][what]) for name in ("before", "now"))
        print(f"{what:24}{before * 1e3:>7.0f} ms{now * 1e3:>7.0f} ms{now / before:>8.2f}")


def _measured(checkout: Path) -> dict[str, float]:
    """Seconds of each call, and of the whole process that makes them all."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        words = [sys.executable, "-c", _CHILD, folder, str(VIDEO_BYTES), str(RECORDINGS)]
        began = time.perf_counter()
        done = subprocess.run(words, cwd=checkout, check=True, capture_output=True, text=True)
        whole = time.perf_counter() - began
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times | {"making and all": whole}


if __name__ == "__main__":
    main()
