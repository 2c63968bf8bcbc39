"""What can be said about a stream is written down once, and all who take it take the same."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.streaming.stream import WindowStream
from kinesphere.streaming.stream_settings import StreamSettings
from tests.support.expected_windows import same_batches


@pytest.mark.parametrize("method", [Dataset.stream, Dataset.torch])
def test_a_method_shows_the_options_with_their_defaults_as_its_own(method: Any) -> None:
    shown = list(inspect.signature(method).parameters.values())
    assert shown[0].name == "self"
    assert shown[1:] == list(inspect.signature(StreamSettings).parameters.values())
    for option in shown[1:]:
        assert f"            {option.name}: " in str(Dataset.stream.__doc__), "the docstring tells what it means"


def test_settings_can_be_passed_on_whole(kitchen: Dataset) -> None:
    settings = StreamSettings(16, 8, ["grip"], shuffle=True, seed=5, rank=1, world_size=2)
    stream = WindowStream(kitchen, settings)
    assert same_batches(list(stream), list(kitchen.stream(16, 8, ["grip"], shuffle=True, seed=5, rank=1, world_size=2)))


def test_what_is_no_option_is_refused_by_name(kitchen: Dataset) -> None:
    options: dict[str, Any] = {"shufle": True}
    with pytest.raises(TypeError, match="shufle"):
        kitchen.stream(16, 8, **options)
    with pytest.raises(TypeError, match="batch_size"):
        kitchen.stream(16)  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="batch_size should be a whole number, at least 1, got 0"):
        kitchen.stream(16, 0)
