"""Scenes come from their seeds alone, and any fourteen in a row show everything."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from typing import get_args

import numpy as np
import pytest

from benchmarks.rendered_people.__main__ import seeds_of
from benchmarks.rendered_people.casting import PROGRAMME, draw_scene, traits_of
from benchmarks.rendered_people.clips import clips_folder
from benchmarks.rendered_people.scene import Framing, Motion
from tests.support.preloaded_command import ROOT

MANY = 420


def test_a_seed_gives_the_same_scene_in_every_process() -> None:
    code = "from benchmarks.rendered_people.casting import draw_scene; print([draw_scene(s) for s in (3, 1007)])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str([draw_scene(3), draw_scene(1007)])
    assert draw_scene(3) != draw_scene(4)


@pytest.mark.parametrize("first", [0, 5, 1000, 1033])
def test_any_fourteen_seeds_have_every_framing_and_every_motion(first: int) -> None:
    scenes = [draw_scene(seed) for seed in range(first, first + len(PROGRAMME))]
    assert {scene.framing for scene in scenes} == set(get_args(Framing))
    assert {scene.actors[0].motion for scene in scenes} == set(get_args(Motion))


def test_who_is_filmed_is_independent_of_what_is_filmed_and_of_each_other() -> None:
    rows = []
    for seed in range(MANY):
        scene = draw_scene(seed)
        rows.append({"framing": scene.framing, **traits_of(scene.actors[0])})
    names = [name for name in rows[0] if name != "sleeves"]
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            assert _cramer(Counter((row[one], row[other]) for row in rows)) < 0.17, (one, other)


def test_every_group_of_people_has_its_share() -> None:
    traits = [traits_of(draw_scene(seed).actors[0]) for seed in range(MANY)]
    for trait, groups, share in (("skin", 6, 1 / 6), ("age", 4, 1 / 4), ("sex", 2, 1 / 2), ("build", 4, 1 / 4)):
        counts = Counter(row[trait] for row in traits)
        assert len(counts) == groups
        assert all(abs(count / MANY - share) < 0.05 for count in counts.values()), (trait, counts)
    assert 0.15 < sum(row["handedness"] == "left" for row in traits) / MANY < 0.25
    assert Counter(row["sleeves"] for row in traits).keys() == {"none", "short", "long", "gloves"}


def test_scenes_vary_as_webcams_do() -> None:
    scenes = [draw_scene(seed) for seed in range(MANY)]
    fields = [scene.cameras[0].focal for scene in scenes]
    assert min(fields) < 700 and max(fields) > 1300
    assert 0.1 < sum(len(scene.actors) == 2 for scene in scenes) / MANY < 0.25
    assert 0.05 < sum(scene.room.occluder for scene in scenes) / MANY < 0.3
    assert {scene.quality.crf for scene in scenes} == {19, 23, 28, 33}
    heights = [scene.actors[0].person.height for scene in scenes]
    assert min(heights) < 1.3 and max(heights) > 1.85
    away = [np.linalg.norm(scene.cameras[0].position[:2]) for scene in scenes if scene.framing != "first person"]
    assert 0.4 < min(away) < 0.8 and 3.5 < max(away) <= 4.2
    worn = [scene for scene in scenes if scene.framing == "first person"]
    assert all(scene.cameras[0].worn_by == 0 for scene in worn)


def test_clips_are_kept_by_all_that_decides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = draw_scene(7)
    assert clips_folder(scene) == clips_folder(draw_scene(7))
    others = [replace(scene, frames=3), draw_scene(8), replace(scene, cameras=scene.cameras * 2)]
    assert len({clips_folder(other) for other in [scene, *others]}) == 4
    before = clips_folder(scene)
    monkeypatch.setattr("benchmarks.rendered_people.clips.REVISION", 999)
    assert clips_folder(scene) != before
    assert asdict(scene)["seed"] == 7


def test_seeds_are_typed_as_a_range() -> None:
    assert seeds_of("3..5") == range(3, 6) and seeds_of("7") == range(7, 8)
    with pytest.raises(ValueError, match=r"seeds are given as A\.\.B"):
        seeds_of("three")


def _cramer(counts: Counter[tuple[str, str]]) -> float:
    """Cramer's V, less what chance alone gives: 0 where two properties are independent, 1 where one is the other."""
    first, second = (sorted({pair[place] for pair in counts}) for place in (0, 1))
    table = np.array([[counts[a, b] for b in second] for a in first], float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chance = (len(first) - 1) * (len(second) - 1)
    square = max(((table - expected) ** 2 / expected).sum() - chance, 0)
    return float(np.sqrt(square / table.sum() / (min(table.shape) - 1)))
