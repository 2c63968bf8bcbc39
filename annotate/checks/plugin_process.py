"""The process in which a plugin runs: `python -m annotate.checks.plugin_process NAME FOLDER MEMORY THRESHOLDS`.

It reads the evidence from the folder, unless there are no thresholds to judge by, and leaves its answer there.
"""

from __future__ import annotations

import json
import pickle
import sys
from importlib.metadata import entry_points
from pathlib import Path

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding
from annotate.checks.limits import Limit
from pose.engines.lifeline import end_with_parent
from storage.tasks.criteria import Thresholds

GROUP = "kinesphere.checks"
"""Entry point group; each entry point is a `Check`, and its name is the name in the task's `[criteria.plugins]`."""
EVIDENCE, ANSWER = "evidence.pickle", "answer.json"
"""Files by which the two processes talk."""


def main(name: str, folder: Path, memory: int, thresholds: str) -> None:
    """Load the plugin, let it find, and write the answer. What it raises ends the process, and its text is told."""
    end_with_parent()
    _limit_memory(memory)
    check = _load(name)
    answer: dict[str, object] = {
        "direction": check.direction,
        "meaning": check.meaning,
        "unit": check.unit,
        "advice": check.advice,
    }
    finding: object = None
    if thresholds:
        evidence = pickle.loads((folder / EVIDENCE).read_bytes())
        assert isinstance(evidence, Evidence)
        finding = check.find(evidence, Limit.of(check.direction, Thresholds.model_validate_json(thresholds)))
        if finding is not None and not isinstance(finding, Finding):
            raise TypeError(f"it returned {type(finding).__name__} and not a Finding or None")
    if isinstance(finding, Finding):
        ranges = [(int(start), int(end)) for start, end in finding.ranges]
        answer |= {"finding": {"value": float(finding.value), "words": finding.words, "ranges": ranges}}
    (folder / ANSWER).write_text(json.dumps(answer))


def _load(name: str) -> Check:
    points = tuple(entry_points(group=GROUP, name=name))
    if len(points) != 1:
        packages = ", ".join(sorted(point.dist.name for point in points if point.dist is not None))
        raise ValueError(f"{len(points)} packages declare it ({packages}); uninstall all but one")
    check = points[0].load()
    if not isinstance(check, Check):
        raise TypeError(f"its entry point is {type(check).__name__} and not an annotate.checks.findings.Check")
    return check


def _limit_memory(memory: int) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))  # file mappings are not counted


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
