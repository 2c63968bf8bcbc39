"""The difference of two versions is what a person would list by hand."""

from pathlib import Path

import pytest

from kinesphere.errors import NotFound
from kinesphere.objects.store import open_objects
from kinesphere.versions.version_difference import HoursChange, Relabelled, compare_versions
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

HOUR = 3_600_000_000_000


def test_episodes_added_removed_relabelled_and_moved_are_told_apart(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    anna, ben = (write_shard(objects, [make_trajectory(100, contributor=who)]) for who in ("anna", "ben"))
    kept = make_row(anna, episode="kept", label=None, end_ns=HOUR)
    named = make_row(anna, episode="named", label=None, outcome="success", end_ns=HOUR)
    renamed = make_row(anna, episode="renamed", label="pour", end_ns=HOUR // 2)
    cut = make_row(anna, episode="cut", length=50, end_ns=HOUR)
    gone = make_row(ben, episode="gone", task="fold-towel", end_ns=2 * HOUR)
    new = make_row(ben, episode="a-new", end_ns=3 * HOUR)
    write_version(objects, "kitchen", make_table([gone, kept, named, renamed, cut]))
    changed = [named | {"label": "reach"}, renamed | {"label": None, "object": "cup"}, cut | {"length": 40}]
    write_version(objects, "kitchen", make_table([new, *changed, kept]))

    difference = compare_versions(objects, "kitchen", 1, None)
    assert (difference.dataset, difference.before, difference.after) == ("kitchen", 1, 2)
    assert difference.added == ("a-new",)
    assert difference.removed == ("gone",)
    assert difference.moved == ("cut",)
    assert difference.relabelled == (
        Relabelled("named", {"label": None}, {"label": "reach"}),
        Relabelled("renamed", {"label": "pour", "object": None}, {"label": None, "object": "cup"}),
    )
    assert difference.hours_by_task == {"fold-towel": HoursChange(2, 0), "pour-water": HoursChange(3.5, 6.5)}
    assert difference.hours_by_contributor == {"anna": HoursChange(3.5, 3.5), "ben": HoursChange(2, 3)}

    back = compare_versions(objects, "kitchen", 2, 1)
    assert (back.added, back.removed, back.moved) == (("gone",), ("a-new",), ("cut",))


def test_a_version_does_not_differ_from_itself_nor_an_empty_one_from_nothing(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [make_trajectory(100)])
    write_version(objects, "kitchen", make_table([make_row(shard)]))
    write_version(objects, "kitchen", make_table([]))
    same = compare_versions(objects, "kitchen", 1, 1)
    assert (same.added, same.removed, same.relabelled, same.moved) == ((), (), (), ())
    emptied = compare_versions(objects, "kitchen", 1, 2)
    assert len(emptied.removed) == 1
    assert emptied.hours_by_contributor["anna"].after == 0
    with pytest.raises(NotFound, match="no version of kitchen named '3'"):
        compare_versions(objects, "kitchen", 1, 3)
