"""A shard says for itself which arrays it has: what is written about an array comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.log_scale import LogScale
from kinesphere.objects.store import open_objects
from kinesphere.shards.array_metadata import specs_of
from kinesphere.shards.shard import Shard, shard_id_of
from kinesphere.trajectory import ARRAYS, BASIC_ARRAYS, DTYPES, RESERVED_NAMES, SD_SCALE, ArraySpec, check_specs
from storage.shards.array_encoder import array_metadata
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_trajectory

FORMAT_1 = Path(__file__).parents[2] / "data/format_1"
NEEDED = {name: json.loads(array_metadata(ARRAYS[name], 10)) for name in ("timestamp", "valid")}


@st.composite
def _specs(draw: st.DrawFn) -> ArraySpec:
    taken = {*ARRAYS, *RESERVED_NAMES}
    name = draw(st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True).filter(lambda name: name not in taken))
    shape = tuple(draw(st.lists(st.integers(1, 8), max_size=3)))
    dtype = draw(st.sampled_from(DTYPES))
    scale = draw(st.floats(1e-9, 1e3)) if dtype == "int16" or (dtype == "uint8" and draw(st.booleans())) else None
    log_scale = None
    if dtype == "uint8" and scale is None and draw(st.booleans()):
        log_scale = LogScale(draw(st.floats(1e-9, 1e3)), draw(st.floats(1.001, 1.2)))
    dimensions = ("frame", *draw(st.permutations(["left", "höhe", "xyz"]))[: len(shape)])
    landmarks = tuple(f"point {place}" for place in range(draw(st.sampled_from(shape)))) if shape else ()
    text = st.text(st.characters(codec="utf-8"), max_size=9)
    return ArraySpec(name, dtype, shape, dimensions, draw(text), draw(text), draw(text), scale, landmarks, log_scale)


@settings(max_examples=100)
@given(spec=_specs(), frames=st.integers(1, 2**18))
def test_what_is_said_of_an_array_comes_back(spec: ArraySpec, frames: int) -> None:
    metadata = json.loads(json.dumps(json.loads(array_metadata(spec, frames)), sort_keys=True))
    assert specs_of({**NEEDED, spec.name: metadata})[spec.name] == spec


def test_the_first_shards_have_the_standard_arrays_in_their_order() -> None:
    (folder,) = (FORMAT_1 / "shards").iterdir()
    specs = Shard(open_objects(FORMAT_1), folder.name.removesuffix(".zarr")).specs
    assert list(specs.items()) == list(BASIC_ARRAYS.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Elbow"}, "'Elbow' cannot name an array: use 1 to 64 lower-case"),
        ({"name": "../x"}, "cannot name an array"),
        ({"dtype": "float64"}, "array 'x' should be stored as one of int64, int16, uint8, float32, not 'float64'"),
        ({"dtype": "int16"}, "array 'x' is int16, which is fixed point, so it needs a scale_factor"),
        ({"scale_factor": 0.1}, "array 'x' is float32 with scale_factor 0.1; it should be a positive"),
        ({"dtype": "uint8", "scale_factor": -1.0}, "it should be a positive number"),
        (
            {"log_scale": SD_SCALE},
            "array 'x' is float32 with a log scale; only uint8 has one, and then no scale_factor",
        ),
        (
            {"dtype": "uint8", "scale_factor": 0.1, "log_scale": SD_SCALE},
            "only uint8 has one, and then no scale_factor",
        ),
        ({"shape": (0,)}, r"array 'x' has \[0\] numbers a frame; it should be 1 to 4096"),
        ({"shape": (5000,)}, r"array 'x' has \[5000\] numbers a frame"),
        ({"dimensions": ("hand", "frame")}, r"array 'x' should have 2 dimensions of different names, 'frame' and then"),
        ({"dimensions": ("frame",)}, "should have 2 dimensions"),
        ({"landmarks": ("a",)}, "array 'x' names 1 landmarks; no axis has as many"),
    ],
)
def test_an_array_that_no_shard_can_have_is_refused(changes: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"name": "x", "dtype": "float32", "shape": (2,), "dimensions": ("frame", "hand")}
    with pytest.raises(InvalidInput, match=message):
        ArraySpec(**{**good, "units": "1", "description": "", **changes})


def test_scales_are_part_of_what_an_array_is() -> None:
    spec = ARRAYS["grip_sd"]
    finer = replace(spec, log_scale=LogScale(1e-5, 1.05))
    assert not spec.is_stored_like(finer) and not spec.means_the_same(finer)
    assert not spec.is_stored_like(replace(spec, log_scale=None))
    assert spec.is_stored_like(replace(spec, units="rad")) and spec.means_the_same(replace(spec, description="x"))
    assert str(spec) == "uint8 [2], 1e-05 x 1.056^0..254"
    with pytest.raises(InvalidInput, match="'grip_sd' names a standard array"):
        check_specs({name: ARRAYS[name] for name in ("timestamp", "valid")} | {"grip_sd": finer})


@pytest.mark.parametrize("wrong", [{"log_ratio": "much"}, {"log_ratio": 0.5}, {"log_smallest": None}])
def test_a_log_scale_that_makes_no_sense_is_damage(tmp_path: Path, wrong: dict[str, Any]) -> None:
    objects = open_objects(tmp_path)
    shard = Shard(objects, write_shard(objects, [make_trajectory(10, with_sd=True)]).shard_id)
    group = json.loads(objects.get(f"{shard.key}/zarr.json"))
    group["consolidated_metadata"]["metadata"]["grip_sd"]["attributes"] |= wrong
    content = json.dumps(group).encode()
    objects.put(f"shards/{shard_id_of(content)}.zarr/zarr.json", content)
    with pytest.raises(CorruptObject, match="lists arrays that no shard can have"):
        _ = Shard(objects, shard_id_of(content)).specs


@pytest.mark.parametrize("name", ["timestamp", "grip"])
def test_a_shard_whose_metadata_makes_no_sense_is_damaged(tmp_path: Path, name: str) -> None:
    objects = open_objects(tmp_path)
    shard = Shard(objects, write_shard(objects, [make_trajectory(10)]).shard_id)
    group = json.loads(objects.get(f"{shard.key}/zarr.json"))
    group["consolidated_metadata"]["metadata"][name]["data_type"] = "complex64"
    content = json.dumps(group).encode()
    objects.put(f"shards/{shard_id_of(content)}.zarr/zarr.json", content)
    with pytest.raises(CorruptObject, match=f"lists arrays that no shard can have: array '{name}' should be stored as"):
        _ = Shard(objects, shard_id_of(content)).specs
