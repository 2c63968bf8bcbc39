"""Publishing by rules: consent to what a version is for, limits on how much is by one person, splits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.dataset import open_dataset
from kinesphere.errors import Conflict, InvalidInput
from kinesphere.splits import parse_splits
from storage.erasure.erasure import erase
from storage.publishing.hill_numbers import effective_number, seconds_by
from storage.publishing.publish import publish
from storage.publishing.publish_rules import ConsentFilter, PublishRules, PublishSettings, trimmed
from storage.recordings.consent import IMPLIED, SCOPES, Coverage, Scope
from storage.workspace import Workspace
from tests.support.episode_rows import row
from tests.support.generated_trajectories import make_table
from tests.support.populated_workspaces import add_recording, populate

EVERY = tuple(SCOPES)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SOME_SCOPES = st.sets(st.sampled_from(EVERY)).map(tuple)
HOURS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 5000)), min_size=1, max_size=80
).map(lambda pairs: make_table([row(name, seconds) for name, seconds in pairs]))  # fmt: skip


def published(place: Workspace, **rules: Any) -> tuple[set[str], ConsentFilter | None]:
    """Who is in a version by these rules, and what was left out of it."""
    left_out: list[ConsentFilter] = []
    version = publish(place, "kitchen", PublishSettings(rules=PublishRules(**rules)), on_left_out=left_out.append)
    dataset = open_dataset(place.dataset_location("kitchen"), version.number)
    return set(dataset.episodes["contributor"].to_pylist()), left_out[-1] if left_out else None


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """Recordings by anna (as before there were scopes), ben (all), carla (training only), dora (expired)."""
    populate(workspace, {"anna": 1})
    past = datetime.now(UTC) - timedelta(seconds=1)
    consents: dict[str, dict[str, Any]] = {
        "ben": {"scopes": EVERY, "expires_at": datetime.now(UTC) + timedelta(days=1)},
        "carla": {"scopes": ("train",)},
        "dora": {"scopes": EVERY, "expires_at": past},
    }
    for number, (name, consent) in enumerate(consents.items()):
        workspace.catalog.add_contributor(name)
        add_recording(workspace, name, seed=100 + number, **consent)
    return workspace


def test_only_what_is_consented_to_as_needed_enters(kitchen: Workspace) -> None:
    people, left_out = published(kitchen)
    assert people == {"anna", "ben"}
    assert left_out is not None and dict(left_out.left_out) == {"no consent to share_keypoints": 1,
                                                               "consent has expired": 1}  # fmt: skip
    assert left_out.summary == "1 (consent has expired), 1 (no consent to share_keypoints)"
    assert published(kitchen, needs=("train",))[0] == {"anna", "ben", "carla"}
    assert published(kitchen, needs=EVERY)[0] == {"ben"}


def test_the_manifest_names_what_was_needed_and_video_is_shown_only_by_consent(kitchen: Workspace) -> None:
    plain = publish(kitchen, "kitchen").manifest
    assert (plain["needs"], plain["video"]) == (["train", "share_keypoints"], "none")
    for video, shown in (("raw", "raw"), ("blurred", "blurred"), ("none", "none")):
        manifest = publish(kitchen, f"with-{video}", PublishSettings(video=video)).manifest  # type: ignore[arg-type]
        assert manifest.get("video", "raw") == shown
        assert ("share_video" in manifest["needs"]) == (video != "none")
        assert manifest["counts"]["contributors"] == (2 if video == "none" else 1)
    shown_by_need = publish(kitchen, "kitchen", PublishSettings(rules=PublishRules(needs=EVERY))).manifest
    assert "video" not in shown_by_need and shown_by_need["needs"] == list(EVERY)


def test_if_nothing_is_consented_to_the_numbers_are_told(workspace: Workspace) -> None:
    populate(workspace, {"anna": 3})
    with pytest.raises(Conflict, match=r"needs \(train, share_keypoints, share_video\): 3 \(no consent to share_video"):
        publish(workspace, "kitchen", PublishSettings(video="blurred"))


def test_the_same_episodes_by_other_rules_are_another_version(kitchen: Workspace) -> None:
    assert publish(kitchen, "kitchen").number == 1
    assert not publish(kitchen, "kitchen").is_new
    halves = parse_splits("train=0.5,test=0.5", "kitchen")
    assert publish(kitchen, "kitchen", PublishSettings(rules=PublishRules(splits=halves))).number == 2
    assert not publish(kitchen, "kitchen", PublishSettings(rules=PublishRules(splits=halves))).is_new
    assert publish(kitchen, "kitchen", PublishSettings(rules=PublishRules(max_share=0.9))).number == 3


def test_what_follows_from_an_erasure_keeps_needs_and_splits_but_claims_no_limits(kitchen: Workspace) -> None:
    halves = parse_splits("train=0.5,test=0.5", "kitchen")
    before = publish(kitchen, "kitchen", PublishSettings(rules=PublishRules(splits=halves, max_share=0.5)))
    assert before.manifest["limits"] == {"max_share": 0.5}
    erase(kitchen, "anna", who="eve")
    after = open_dataset(kitchen.dataset_location("kitchen")).manifest
    assert after["needs"] == before.manifest["needs"] and after["splits"] == before.manifest["splits"]
    assert "limits" not in after and after["diversity"]["contributors"]["largest_share"] == 1
    assert sum(part["contributors"] for part in after["diversity"]["splits"].values()) == 1


@given(SOME_SCOPES, SOME_SCOPES, st.none() | st.integers(-5, 5))
def test_a_consent_covers_what_it_names_until_it_ends(
    given_scopes: tuple[Scope, ...], needs: tuple[Scope, ...], days: int | None
) -> None:
    end = None if days is None else NOW + timedelta(days=days)
    why = Coverage(given_scopes, end).lack(needs, NOW)
    holds = days is None or days > 0
    assert (why is None) == (holds and set(needs) <= set(given_scopes))


def test_the_share_of_one_contributor_is_limited(workspace: Workspace) -> None:
    populate(workspace, {"anna": 6, "ben": 2, "carla": 2})
    with pytest.raises(
        Conflict, match=r"60.0% of its hours are by contributor 'anna', and 40.0% is the limit; .* --tr"
    ):
        publish(workspace, "kitchen", PublishSettings(rules=PublishRules(max_share=0.4)))
    people, _ = published(workspace, max_share=0.6)
    assert people == {"anna", "ben", "carla"}
    manifest = publish(workspace, "kitchen", PublishSettings(rules=PublishRules(max_share=0.4, trim=True))).manifest
    assert manifest["counts"]["episodes"] == 6 and manifest["limits"] == {"max_share": 0.4, "trim": True}
    assert manifest["diversity"]["contributors"]["largest_share"] == pytest.approx(1 / 3)


def test_what_is_said_to_help_helps() -> None:
    table = make_table([row("anna", 3000), row("ben", 500), row("carla", 500)])
    with pytest.raises(Conflict, match=r"0\.556 more hours by others"):
        PublishRules(max_share=0.5).applied("kitchen", table)
    enough = make_table([*table.to_pylist(), row("dora", 2000)])
    assert PublishRules(max_share=0.5).applied("kitchen", enough) is enough
    with pytest.raises(Conflict, match=r"its 3 contributors are as diverse as 1\.68 equal ones.*; (\d+) more with"):
        PublishRules(min_effective=4).applied("kitchen", table)
    more = [row(f"x{number}", 4000 / 3) for number in range(4)]
    assert effective_number(list(seconds_by(make_table([*table.to_pylist(), *more]), "contributor").values()), 2) >= 4


@given(HOURS, st.floats(0.05, 1))
def test_trimming_keeps_the_limit_or_refuses_and_touches_only_the_largest(table: pa.Table, limit: float) -> None:
    before = seconds_by(table, "contributor")
    try:
        kept = trimmed("kitchen", table, limit)
    except Conflict:
        return
    after = seconds_by(kept, "contributor")
    assert set(after) == set(before)
    assert max(after.values()) <= limit * sum(after.values()) * (1 + 1e-6)
    untouched = [name for name in before if after[name] == before[name]]
    cut = [name for name in before if name not in untouched]
    assert all(before[name] >= max(after.values()) - 1e-6 for name in cut)
    assert kept.equals(trimmed("kitchen", table, limit))


def test_trimming_refuses_what_cannot_be() -> None:
    with pytest.raises(Conflict, match="2 contributors are too few"):
        trimmed("kitchen", make_table([row("anna", 1), row("ben", 1)]), 0.4)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"needs": ()}, "consent to something"),
        ({"needs": ("sell",)}, "'sell' is no scope"),
        ({"max_share": 0.0}, "above 0"),
        ({"max_share": 1.5}, "above 0"),
        ({"min_effective": 0.5}, "at least 1"),
        ({"min_effective": float("nan")}, "at least 1"),
        ({"trim": True}, "trimming needs"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        PublishRules(**rules)


def test_a_consent_without_scopes_covers_no_video() -> None:
    assert set(IMPLIED) == set(EVERY) - {"share_video"}
