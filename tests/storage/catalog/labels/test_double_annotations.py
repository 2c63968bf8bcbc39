"""What is asked of the catalog for agreement and adjudication: what two people labelled, and who may decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.labels.label_comparison import agreed_segments
from storage.catalog import Annotations, Annotator, LabelOperations, LabelQueue
from storage.catalog.labels.double_annotations import double_annotations
from storage.catalog.labels.label_work import annotations_by
from storage.recordings.segment import Segment
from storage.workspace import Workspace, create_workspace
from tests.support.annotated_recordings import POUR, TWICE, content, new, waiting

BEN, CARLA, DORA = Annotator("ben"), Annotator("carla"), Annotator("dora")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    url = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("own_postgres_url")
    made = create_workspace(tmp_path / "place", catalog=url)
    yield made
    made.catalog.close()


def labels(place: Workspace) -> Annotations:
    return Annotations(place.catalog, agreed_segments)


def labelled(place: Workspace, recording: str, who: Annotator, *contents: Segment, done: bool = True) -> str:
    made, _ = labels(place).begin(recording, who)
    if contents:
        LabelOperations(place.catalog).apply(made.annotation, [new(*contents)], who=who.name)
    return labels(place).done(made.annotation).annotation if done else made.annotation


def test_only_what_two_people_have_done_is_compared_and_an_empty_labelling_counts(place: Workspace) -> None:
    both, once, half, left = (waiting(place, task=TWICE) for _ in range(4))
    labelled(place, both, BEN, content(10, 20, "grasp"), content(0, 10))
    labelled(place, both, CARLA)
    labelled(place, once, BEN, content())
    labelled(place, half, BEN, content())
    labelled(place, half, CARLA, content(), done=False)
    for who in (BEN, CARLA):
        labelled(place, left, who, content())
    place.catalog.withdraw(left, who="anna", why="")
    found = double_annotations(place.catalog)
    assert [(one.task, one.recording, one.annotator, one.frames) for one in found] == [
        ("twice", both, "ben", 60), ("twice", both, "carla", 60),
    ]  # fmt: skip
    assert [one.segments for one in found] == [[content(0, 10), content(10, 20, "grasp")], []]
    assert double_annotations(place.catalog, task="pour") == []
    assert double_annotations(place.catalog, recordings=[once, half]) == []
    assert double_annotations(place.catalog, task="twice", recordings=[both]) == found
    labels(place).begin(both, DORA, "adjudicate")
    assert double_annotations(place.catalog) == found, "an adjudication is no opinion"


def test_many_labellings_are_read_whole(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.labels.double_annotations._AT_ONCE", 3)
    for number in range(4):
        recording = waiting(place, task=TWICE)
        for who in (BEN, CARLA):
            labelled(place, recording, who, content(number, number + 5))
    found = double_annotations(place.catalog)
    assert [len(one.segments) for one in found] == [1] * 8
    assert sorted({one.segments[0].start_frame for one in found}) == [0, 1, 2, 3]


def test_an_adjudication_is_offered_to_who_is_neither_and_to_an_operator(place: Workspace) -> None:
    recording, same = waiting(place, task=TWICE), waiting(place, task=TWICE)
    waiting(place, task=POUR)
    for who, label in ((BEN, "reach"), (CARLA, "grasp")):
        labelled(place, recording, who, content(0, 10, label))
        labelled(place, same, who, content())
    queue = LabelQueue(labels(place))

    def offered(who: Annotator) -> list[str]:
        return [found.recording for found in queue.to_adjudicate(who)]

    assert offered(DORA) == [recording]
    assert offered(BEN) == offered(CARLA) == []
    assert offered(Annotator("ben", is_operator=True)) == [recording]
    assert offered(Annotator("olivia", contributor="anna", is_operator=True)) == [], "it is their own recording"
    made, _ = labels(place).begin(recording, DORA, "adjudicate")
    assert offered(DORA) == offered(Annotator("eve")) == [], "it is with dora"
    assert [work.annotation.annotation for work in annotations_by(place.catalog, "dora", purpose="adjudicate")] == [
        made.annotation
    ]
    assert annotations_by(place.catalog, "ben", purpose="adjudicate") == []
    labels(place).skip(made.annotation, reason="I cannot see it")
    assert offered(Annotator("eve")) == [recording]
