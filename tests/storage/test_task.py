"""Task files: what they need, what they default to, and what is said about a typo."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import InvalidInput, InvalidTask
from storage.task import Criteria, read_task

FOUR_LINES = """
name = "pour-water"
title = "Pour water from a bottle into a glass"
instructions = "Sit at a table ..."
consent = "I agree that ..."
"""


def written(folder: Path, content: str) -> Path:
    file = folder / "task.toml"
    file.write_text(content, encoding="utf-8")
    return file


def test_four_lines_are_enough(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, FOUR_LINES))
    assert task.name == "pour-water"
    assert task.criteria == Criteria()
    assert task.labels.verbs == ()


def test_criteria_labels_and_hotkeys_are_read(tmp_path: Path) -> None:
    task = read_task(
        written(
            tmp_path,
            FOUR_LINES
            + "[criteria]\nbrightness = { doubt = 60, fail = 20 }\n"
            + '[labels]\nverbs = ["reach", "pour"]\nhotkeys = { r = "reach" }\n',
        )
    )
    assert task.criteria.brightness.doubt == 60
    assert task.criteria.duration_seconds == Criteria().duration_seconds
    assert task.labels.hotkeys == {"r": "reach"}


def test_how_it_is_reviewed_and_what_contributors_are_told_is_read(tmp_path: Path) -> None:
    more = "[review]\nopinions = 2\nspot_check_share = 0.1\n"
    more += '[feedback]\nbrightness = "Abra a cortina."\nglove = "Sem luvas."\n'
    task = read_task(written(tmp_path, FOUR_LINES + more))
    assert (task.review.opinions, task.review.spot_check_share) == (2, 0.1)
    assert task.feedback == {"brightness": "Abra a cortina.", "glove": "Sem luvas."}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FOUR_LINES.replace("title", "titel"), "'titel' is not known; did you mean 'title'?"),
        (FOUR_LINES + "[criteria]\nbrightnes = { doubt = 1, fail = 0 }", "did you mean 'brightness'?"),
        (FOUR_LINES + "[labels]\nverb = ['x']", "did you mean 'verbs'?"),
        (FOUR_LINES + "[review]\nopinion = 2", "did you mean 'opinions'?"),
        (FOUR_LINES + "[review]\nopinions = 3", "'review.opinions': Input should be less than or equal to 2"),
        (FOUR_LINES + "[review]\nspot_check_share = 5", "'review.spot_check_share'"),
        (FOUR_LINES + "[feedback]\nbrightnes = 'Turn on a light.'", "did you mean 'brightness'?"),
        (FOUR_LINES + "[feedback]\n'a b' = 'Turn on a light.'", "cannot name a feedback text"),
        (FOUR_LINES.replace('consent = "I agree that ..."', ""), "'consent' is missing"),
        (FOUR_LINES.replace('"pour-water"', '"../x"'), "cannot name a task"),
        (FOUR_LINES.replace('"pour-water"', "7"), "'name'"),
        (FOUR_LINES.replace('"Sit at a table ..."', '"  "'), "'instructions'"),
        (FOUR_LINES + "[criteria]\nbrightness = { doubt = 1, fail = 5 }", "must not be above doubt"),
        (FOUR_LINES + "[criteria]\nclipped_share = { doubt = 0.5, fail = 0.1 }", "must not be below doubt"),
        (FOUR_LINES + "[labels]\nhotkeys = { r = 'reach' }", "which is in no list"),
        ("name = ", "not valid TOML"),
        ("", "'name' is missing"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_what_was_meant(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InvalidTask) as told:
        read_task(written(tmp_path, content))
    assert message in str(told.value)
    assert "task.toml" in str(told.value)


def test_a_file_that_is_not_text_or_not_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InvalidTask, match="not valid TOML"):
        read_task(file)
    with pytest.raises(InvalidInput, match="cannot read the task file"):
        read_task(tmp_path / "none.toml")


def test_the_version_hash_follows_the_content(tmp_path: Path) -> None:
    first = read_task(written(tmp_path, FOUR_LINES))
    with_comment = read_task(written(tmp_path, "# a comment\n" + FOUR_LINES))
    changed = read_task(written(tmp_path, FOUR_LINES + "[criteria]\nbrightness = { doubt = 60, fail = 20 }"))
    assert first.content_sha256 == with_comment.content_sha256
    assert first.content_sha256 != changed.content_sha256
    assert first.consent_sha256 == changed.consent_sha256
