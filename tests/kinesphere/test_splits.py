"""Splits: whole people, the same in every version, and streams of one split alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import open_objects
from kinesphere.splits import Splits, parse_splits
from kinesphere.versions.manifests import read_episodes
from storage.publishing.version_writer import write_version
from tests.support.episode_rows import row
from tests.support.generated_trajectories import make_dataset, make_table

THIRDS = parse_splits("train=0.8,validation=0.1,test=0.1", "kitchen")
PEOPLE = st.lists(st.text("abcdef0123456789", min_size=1, max_size=12), min_size=1, max_size=40, unique=True)


@given(PEOPLE, PEOPLE)
def test_nobody_moves_when_others_come_or_go(before: list[str], others: list[str]) -> None:
    first = make_table([row(person, 1) for person in before])
    second = make_table([row(person, 1) for person in dict.fromkeys([*others, *before])])
    for name in THIRDS.names:
        ours = {first["contributor"][i].as_py() for i in THIRDS.rows(first, name)}
        theirs = {second["contributor"][i].as_py() for i in THIRDS.rows(second, name)}
        assert ours == theirs & set(before)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60))
def test_every_row_is_in_one_split_and_all_of_a_person_in_the_same(people: list[str]) -> None:
    table = make_table([row(person, 1) for person in people])
    parts = [THIRDS.rows(table, name) for name in THIRDS.names]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(people)))
    assert all((np.diff(part) > 0).all() for part in parts)
    held = [{people[place] for place in part} for part in parts]
    assert sum(len(names) for names in held) == len(set(people))


def test_shares_are_met_by_many_and_another_salt_splits_otherwise() -> None:
    people = [f"c{number:05d}" for number in range(20_000)]
    found = [THIRDS.split_of(person) for person in people]
    for name, share in THIRDS.shares:
        assert found.count(name) / len(people) == pytest.approx(share, abs=0.01)
    other = Splits(THIRDS.shares, "garden")
    same = sum(other.split_of(person) == split for person, split in zip(people, found, strict=True))
    assert 0.6 < same / len(people) < 0.7, "independent: 0.8² + 0.1² + 0.1²"


def test_the_rule_of_the_format_does_not_change() -> None:
    """A version that is out there must split the same in every later release."""
    found = [THIRDS.split_of(f"c{number:03d}") for number in range(12)]
    assert found == ["train", "test", "test", *["train"] * 9]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("train", "is no split"),
        ("train=x,test=0.5", "is no split"),
        ("train=1", "at least two names"),
        ("train=0.5,train=0.5", "each once"),
        ("train=0.5,test=0.4", "add up to 0.9"),
        ("train=1.5,test=-0.5", "between 0 and 1"),
        ("train=nan,test=0.5", "between 0 and 1"),
        ("../x=0.5,test=0.5", "cannot name a split"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse_splits(text, "kitchen")


@pytest.fixture(scope="module")
def split_kitchen(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Eight people, in two versions: without splits, and half and half."""
    folder = tmp_path_factory.mktemp("split")
    objects = open_objects(folder)
    whole = make_dataset(objects, "kitchen", {f"c{number}": [40, 60] for number in range(8)})
    halves = parse_splits("train=0.5,test=0.5", "kitchen")
    write_version(objects, "kitchen", read_episodes(objects, whole), rules={"splits": halves.to_json()})
    return open_dataset(folder / "datasets/kitchen")


def test_a_stream_of_a_split_gives_its_people_and_no_others(split_kitchen: Dataset) -> None:
    seen = {}
    for name in ("train", "test"):
        stream = split_kitchen.stream(16, 8, ["valid"], shuffle=True, split=name, balance="contributor")
        rows = np.unique(np.concatenate([batch["episode"] for batch in stream]))
        assert set(rows) <= set(split_kitchen.rows_of_split(name))
        seen[name] = {split_kitchen.episodes["contributor"][int(place)].as_py() for place in rows}
        counts = split_kitchen.manifest["diversity"]["splits"][name]
        assert counts["contributors"] == len(seen[name]) and counts["episodes"] == 2 * len(seen[name])
    assert seen["train"] and seen["test"] and not seen["train"] & seen["test"]
    assert seen["train"] | seen["test"] == {f"c{number}" for number in range(8)}
    both = split_kitchen.stream(16, 8, ["valid"], split="train", where="length = 60")
    assert both.windows == len(seen["train"]) * (60 - 16 + 1)


def test_a_state_of_one_split_is_not_for_another(split_kitchen: Dataset) -> None:
    state = split_kitchen.stream(16, 8, ["valid"], split="train").state_dict()
    for other in ("test", None):
        with pytest.raises(InvalidInput, match="split was 'train'"):
            split_kitchen.stream(16, 8, ["valid"], split=other).load_state_dict(state)
    old = {name: value for name, value in split_kitchen.stream(16, 8).state_dict().items() if name != "split"}
    split_kitchen.stream(16, 8).load_state_dict(old)


def test_what_is_not_there_is_told(split_kitchen: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there are train, test"):
        split_kitchen.rows_of_split("validation")
    objects = open_objects(tmp_path)
    make_dataset(objects, "one", {"c1": [20]})
    plain = open_dataset(tmp_path / "datasets/one")
    with pytest.raises(InvalidInput, match="one@1 has no splits"):
        plain.stream(8, 4, split="train")
    halves = parse_splits("train=0.5,test=0.5", "one")
    write_version(objects, "one", plain.episodes, rules={"splits": halves.to_json()})
    empty = "test" if halves.split_of("c1") == "train" else "train"
    with pytest.raises(InvalidInput, match=f"split '{empty}' of one@2 holds nobody"):
        open_dataset(tmp_path / "datasets/one").stream(8, 4, split=empty)
    later = {"by": "place", "shares": [], "salt": ""}
    with pytest.raises(InvalidInput, match="split by 'place'"):
        write_version(objects, "one", plain.episodes, rules={"splits": later})
