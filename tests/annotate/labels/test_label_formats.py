"""Label files: what is written is read back exactly, and packages add formats of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.labels.label_formats import LABEL_FORMATS, label_format_named
from kinesphere.errors import Conflict, InvalidInput, NotFound
from storage.recordings.segment import Segment
from tests.support.extension_package import install_extension

MILLISECOND = 1_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SEGMENTS = st.lists(
    st.builds(
        Segment,
        start_ns=st.integers(0, 2**40),
        end_ns=st.integers(0, 2**40),
        label=TEXT,
        track=st.sampled_from(["task phase", "left hand"]),
        object=st.none() | TEXT,
        hand=st.none() | st.sampled_from(["left", "right", "both"]),
        outcome=st.none() | TEXT,
        note=TEXT | st.just("a\u2028b\x85c\n"),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.mark.parametrize("name", sorted(LABEL_FORMATS.built_in))
@given(segments=SEGMENTS)
def test_what_is_written_is_read_back_to_the_millisecond(folder: Path, name: str, segments: list[Segment]) -> None:
    file = folder / f"labels.{name}"
    label_format_named(name).write(segments, file)
    found = label_format_named(name).read(file)
    assert len(found) == len(segments)
    for ours, theirs in zip(segments, found, strict=True):
        assert abs(ours.start_ns - theirs.start_ns) < MILLISECOND and abs(ours.end_ns - theirs.end_ns) < MILLISECOND
        said = ours.label, ours.track, ours.object, ours.hand, ours.outcome, ours.note
        assert said == (theirs.label, theirs.track, theirs.object, theirs.hand, theirs.outcome, theirs.note)


def test_frames_are_not_taken_from_a_file(folder: Path) -> None:
    file = folder / "frames.jsonl"
    file.write_text('{"start_ns": 1, "end_ns": 2, "label": "pour", "start_frame": 7, "end_frame": 9, "by": "eve"}\n\n')
    assert label_format_named("jsonl").read(file) == [Segment(1, 2, "pour")]


@pytest.mark.parametrize(
    ("line", "why"),
    [("{", "Invalid JSON"), ('{"start_ns": 1, "end_ns": 2}', "label: Field required"), ("[]", "no segment")],
)
def test_a_line_that_is_no_segment_is_named(folder: Path, line: str, why: str) -> None:
    file = folder / "wrong.jsonl"
    file.write_text(f'{{"start_ns": 1, "end_ns": 2, "label": "pour"}}\n{line}\n')
    with pytest.raises(InvalidInput, match=rf"line 2 of .*wrong\.jsonl is no segment.*{why}|line 2 of .* {why}"):
        label_format_named("jsonl").read(file)


def test_packages_add_formats_and_names_that_clash_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "class Nothing:\n    def read(self, path): return []\n    def write(self, segments, path): pass\n"
    points = {"elan": "Nothing", "jsonl": "Nothing"}
    monkeypatch.syspath_prepend(
        str(install_extension(tmp_path, "lesser-labels", code, {"kinesphere.label_formats": points}))
    )
    assert label_format_named("elan").read(tmp_path / "any") == []
    with pytest.raises(Conflict, match=r"jsonl of lesser-labels 1\.0 has the name of a built-in one"):
        label_format_named("jsonl")
    with pytest.raises(NotFound, match=r"no label format named 'srt' \(there is: elan, jsonl\)"):
        label_format_named("srt")
