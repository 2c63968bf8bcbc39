"""The focal length that phones write into videos is found wherever it stands, and nothing else is taken for it."""

import random
import struct
from pathlib import Path

import pytest

from storage.footage.lens_metadata import KEY, focal_length_35mm
from tests.support.phone_video import FLOAT, TEXT, WHOLE_NUMBER, box, metadata_box, with_metadata
from tests.support.video_clips import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("lens") / "clip.mp4", 3)


@pytest.mark.parametrize(
    ("kind", "value", "stated"),
    [
        (WHOLE_NUMBER, struct.pack(">i", 27), 27),
        (WHOLE_NUMBER, b"\x1a", 26),
        (TEXT, b"50.00mm", 50),
        (TEXT, b"13", 13),
        (FLOAT, struct.pack(">f", 25.5), 25.5),
        (WHOLE_NUMBER, struct.pack(">i", 0), None),
        (WHOLE_NUMBER, struct.pack(">i", -27), None),
        (FLOAT, struct.pack(">f", float("nan")), None),
        (TEXT, b"wide", None),
        (TEXT, b"5000", None),
        (13, b"\xff\xd8", None),
    ],
)
def test_a_lens_is_read_in_every_form(
    clip: Path, tmp_path: Path, kind: int, value: bytes, stated: float | None
) -> None:
    assert focal_length_35mm(with_metadata(clip, tmp_path / "a.mov", metadata_box(kind, value))) == stated


def test_it_may_stand_with_the_track_or_with_the_file(clip: Path, tmp_path: Path) -> None:
    lens = metadata_box(TEXT, b"26", has_version=True)
    for number, metadata in enumerate((lens, box(b"udta", lens), metadata_box(TEXT, b"26"))):
        for in_track in (True, False):
            video = with_metadata(clip, tmp_path / f"{number}-{in_track}.mov", metadata, in_track=in_track)
            assert focal_length_35mm(video) == 26
    written = make_clip(tmp_path / "a.mp4", 3, metadata={KEY: "28"}, muxer={"movflags": "use_metadata_tags"})
    assert focal_length_35mm(written) == 28


def test_a_file_that_does_not_say_or_is_no_video_has_none(clip: Path, tmp_path: Path) -> None:
    assert focal_length_35mm(clip) is None
    assert focal_length_35mm(make_clip(tmp_path / "a.webm", 3, codec="libvpx")) is None
    for number, content in enumerate((b"", b"text", bytes(1000), box(b"moov"), 70_000 * box(b"free"))):
        (tmp_path / str(number)).write_bytes(content)
        assert focal_length_35mm(tmp_path / str(number)) is None


def test_no_damage_to_the_boxes_is_more_than_not_knowing(clip: Path, tmp_path: Path) -> None:
    whole = with_metadata(clip, tmp_path / "a.mov", metadata_box(WHOLE_NUMBER, b"\x1a")).read_bytes()
    index = whole.rindex(b"moov") - 4
    chance = random.Random(5)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            damaged[chance.randrange(index, len(damaged))] = chance.randrange(256)
        (tmp_path / "damaged").write_bytes(damaged[: chance.choice((len(damaged), chance.randrange(len(damaged))))])
        assert focal_length_35mm(tmp_path / "damaged") is None or whole != damaged
