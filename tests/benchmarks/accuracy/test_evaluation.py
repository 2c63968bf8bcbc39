"""The whole way: a rendered clip, the plain loop and the extractor on it, and their numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.estimate import load_estimate, save_estimate
from benchmarks.accuracy.evaluation import PLAIN, Evaluated, evaluate_clip, to_json
from benchmarks.accuracy.measures import MEASURES
from benchmarks.accuracy.worst_frames import draw_worst
from benchmarks.rendered_people.clips import Clip, clips_of
from tests.support.made_up_truth import found_exactly, made_up_truth
from tests.support.preloaded_command import ROOT
from tests.support.rendered_scenes import renders, small_scene

SEED, FRAMES = 15, 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Somebody at a desk, large enough to be found."""
    with pytest.MonkeyPatch.context() as patch:
        kept = tmp_path_factory.mktemp("clips")
        patch.setattr("benchmarks.rendered_people.clips.cache_folder", lambda: kept)
        return clips_of(small_scene(SEED, frames=FRAMES, width=640))[0]


@pytest.fixture(scope="module")
def rows(clip: Clip) -> list[Evaluated]:
    return evaluate_clip(clip, "mediapipe")


@renders
def test_both_ways_find_the_person_and_get_every_number(rows: list[Evaluated], clip: Clip) -> None:
    assert [row.way for row in rows] == [PLAIN, "mediapipe"]
    for row in rows:
        assert row.errors.keys() == {measure.name for measure in MEASURES}
        assert (row.seed, row.framing, row.traits["sleeves"]) == (SEED, "desk", "gloves")
        assert row.errors["body"] < 60, "the person is found where they are"
        assert 0 < row.errors["cost"] < 10_000
    ours = rows[1].errors
    assert ours["hands_found"] > 30 and ours["wrist_known_scaled"] < 0.5
    assert len(list(clip.video.parent.glob("plain-*-*.npz"))) == 2, "the plain loop's results are kept"
    again = evaluate_clip(clip, "mediapipe")[0]
    assert again.errors == pytest.approx(rows[0].errors, nan_ok=True)


@renders
def test_numbers_are_written_and_the_worst_frames_drawn(rows: list[Evaluated], clip: Clip, tmp_path: Path) -> None:
    to_json(rows, tmp_path / "rows.json")
    written = json.loads((tmp_path / "rows.json").read_text())
    assert [row["way"] for row in written] == [PLAIN, "mediapipe"]
    assert written[1]["errors"]["body"] == pytest.approx(rows[1].errors["body"])
    drawn = draw_worst(rows, {SEED: clip}, "mediapipe", tmp_path / "worst")
    assert drawn and all(path.stat().st_size > 10_000 for path in drawn)
    assert drawn[0].name.startswith(f"01-seed{SEED}-frame{rows[1].worst[0][0]}")


def test_without_the_packages_it_says_how_to_install_them() -> None:
    code = (
        "import sys; sys.modules['anny'] = sys.modules['moderngl'] = None; sys.argv[1:] = ['--seeds', '31415926']; "
        "from benchmarks.accuracy.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 1, done.stderr
    assert "install them with: pip install --no-deps --require-hashes -r requirements/rendering.txt" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--seeds", "all"], "seeds are given as A..B"), (["--by", "shoes,age"], "no trait shoes; there are skin")],
)
def test_what_is_typed_wrongly_is_told(words: list[str], what: str) -> None:
    command = [sys.executable, "-m", "benchmarks.accuracy", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 2 and what in done.stderr


def test_an_estimate_is_kept_as_it_is(tmp_path: Path) -> None:
    exact = found_exactly(made_up_truth(frames=5))
    save_estimate(exact, tmp_path / "kept.npz")
    again = load_estimate(tmp_path / "kept.npz")
    assert np.array_equal(again.wrist_pose, exact.wrist_pose) and again.core_seconds == exact.core_seconds
    assert again.velocity is None and again.spreads == {} and [p.name for p in tmp_path.iterdir()] == ["kept.npz"]
