"""The public names of the reader are the ones it says."""

from __future__ import annotations

import pickle

import pytest

import kinesphere
from kinesphere import errors


def test_every_public_name_exists_and_is_listed_once() -> None:
    assert [name for name in kinesphere.__all__ if not hasattr(kinesphere, name)] == []
    assert len(set(kinesphere.__all__)) == len(kinesphere.__all__)


def test_every_error_can_be_caught_from_the_face() -> None:
    ours = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.KinesphereError)
    }
    assert ours <= set(kinesphere.__all__)


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound("task", "pour", ["a"], "add it"),
        errors.NewerFormat("the shard", 2, 1),
        errors.StorageFailed("full"),
    ],
)
def test_errors_come_back_from_other_processes_as_they_were(error: errors.KinesphereError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error) and str(back) == str(error)
