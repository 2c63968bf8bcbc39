"""Task files: what they need, what they default to, and what is said about a typo."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from kinesphere.errors import InvalidInput, InvalidTask
from storage.tasks.criteria import Contradiction, Criteria, Thresholds
from storage.tasks.task import ConsentScopes, Task, read_task

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
    assert task.criteria.doubt("brightness") == 60
    assert list(task.criteria.checks) == ["brightness"], "what is not set is for the checks to say"
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
        (FOUR_LINES + "[labels]\nverb = ['x']", "did you mean 'verbs'?"),
        (FOUR_LINES + "[review]\nopinion = 2", "did you mean 'opinions'?"),
        (FOUR_LINES + "[review]\nopinions = 3", "'review.opinions': Input should be less than or equal to 2"),
        (FOUR_LINES + "[review]\nspot_check_share = 5", "'review.spot_check_share'"),
        (FOUR_LINES + "[feedback]\n'a b' = 'Turn on a light.'", "cannot name a feedback text"),
        (FOUR_LINES.replace('consent = "I agree that ..."', ""), "'consent' is missing"),
        (FOUR_LINES.replace('"pour-water"', '"../x"'), "cannot name a task"),
        (FOUR_LINES.replace('"pour-water"', "7"), "'name'"),
        (FOUR_LINES.replace('"Sit at a table ..."', '"  "'), "'instructions'"),
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


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        (
            "brightness = { doubt = nan, fail = 0 }",
            "'criteria.brightness.doubt': Input should be a finite number (line 7)",
        ),
        ("blur = { doubt = 0.5, fail = inf }", "'criteria.blur.fail': Input should be a finite number (line 7)"),
        ("blur = { doubt = 0.5, fial = 1 }", "'criteria.blur.fial' is not known; did you mean 'fail'?"),
        (
            "[criteria.plugins.table]\ndoubt = 1\nfial = 0",
            "'criteria.plugins.table.fial' is not known; did you mean 'fail'?",
        ),
        ("[criteria.plugins.'a b']\ndoubt = 1\nfail = 0", "'criteria.plugins.a b"),
        (
            "[criteria.plugins.table]\ndoubt = inf\nfail = 0",
            "'criteria.plugins.table.doubt': Input should be a finite number (line 8)",
        ),
    ],
)
def test_thresholds_that_are_none_are_refused_with_the_lines_that_say_so(
    tmp_path: Path, criteria: str, message: str
) -> None:
    with pytest.raises(InvalidTask) as told:
        read_task(written(tmp_path, FOUR_LINES + "[criteria]\n" + criteria))
    assert message in str(told.value) and "\n" not in str(told.value)


def test_what_is_known_only_above_is_asked_for_and_refuses_with_the_lines(tmp_path: Path) -> None:
    def complete(task: Task) -> Task:
        if task.criteria.doubt("light") > 5:
            raise Contradiction("too much light", ("criteria", "light"), ("criteria", "shade"))
        return task.model_copy(update={"criteria": Criteria.of({"light": Thresholds(doubt=1, fail=0)})})

    assert read_task(written(tmp_path, FOUR_LINES), complete=complete).criteria.doubt("light") == 1
    with pytest.raises(InvalidTask, match=r"too much light \(line 7 and the default\)"):
        read_task(written(tmp_path, FOUR_LINES + "[criteria]\nlight = { doubt = 6, fail = 0 }"), complete=complete)


def test_plugins_are_written_last_as_hashes_of_stored_tasks_have_them() -> None:
    criteria = Criteria.of({"b": Thresholds(doubt=2, fail=1), "a": Thresholds(doubt=1, fail=0)}, {})
    assert criteria.model_dump_json() == ('{"b":{"doubt":2.0,"fail":1.0},"a":{"doubt":1.0,"fail":0.0},"plugins":{}}')
    assert Criteria.model_validate_json(criteria.model_dump_json()) == criteria


def test_the_thresholds_of_plugins_are_read_and_are_part_of_the_version(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, FOUR_LINES + "[criteria.plugins.table]\ndoubt = -1\nfail = -2"))
    assert task.criteria.plugins == {"table": Thresholds(doubt=-1, fail=-2)}, "what a plugin counts may be negative"
    assert not task.criteria.checks
    assert task.content_sha256 != read_task(written(tmp_path, FOUR_LINES)).content_sha256


def test_scopes_of_consent_are_read_and_held_to_each_other(tmp_path: Path) -> None:
    assert read_task(written(tmp_path, FOUR_LINES)).consent_scopes == ConsentScopes()
    lines = '[consent_scopes]\noffered = ["train", "share_video"]\nrequired = ["train"]\nexpires_after_days = 30\n'
    rule = read_task(written(tmp_path, FOUR_LINES + lines)).consent_scopes
    assert (rule.offered, rule.required, rule.expires_after_days) == (("train", "share_video"), ("train",), 30)
    assert rule.refusal(("train",)) is rule.refusal(("train", "share_video")) is None
    assert "needs consent to 'train'" in str(rule.refusal(("share_video",)))
    assert "does not offer consent to 'share_keypoints'" in str(rule.refusal(("train", "share_keypoints")))
    for wrong, why in (
        ('required = ["share_video"]', "'share_video' is required but not offered"),
        ('offered = ["sell"]', "Input should be 'train'"),
        ("expires_after_days = 0", "greater than or equal to 1"),
        ("requried = []", "did you mean 'required'"),
    ):
        with pytest.raises(InvalidTask, match=why):
            read_task(written(tmp_path, FOUR_LINES + "[consent_scopes]\n" + wrong))


def test_a_task_without_scopes_has_the_hash_that_it_had_before_there_were_any(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, FOUR_LINES))
    content = task.model_dump(mode="json")
    assert content.pop("consent_scopes")
    assert content.pop("labelling") == {"double_share": 0}
    assert Task.model_validate(content) == task, "a catalog from before holds no scopes, and no rules of labelling"
    before = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    assert task.content_sha256 == hashlib.sha256(before.encode()).hexdigest()
    scoped = task.model_copy(update={"consent_scopes": ConsentScopes(required=("train",))})
    assert scoped.content_sha256 != task.content_sha256
    twice = read_task(written(tmp_path, FOUR_LINES + "[labelling]\ndouble_share = 0.1\n"))
    assert twice.labelling.double_share == 0.1 and twice.content_sha256 != task.content_sha256
    with pytest.raises(InvalidTask, match=r"less than or equal to 1 \(line 7\)"):
        read_task(written(tmp_path, FOUR_LINES + "[labelling]\ndouble_share = 1.5\n"))
