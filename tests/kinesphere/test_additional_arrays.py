"""Standard deviations and velocities: carried where there are some, and missed nowhere where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

from kinesphere import Mirror, Normalize
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects, open_objects
from kinesphere.shards.shard import Shard
from kinesphere.trajectory import ADDITIONAL_ARRAYS, ARRAYS, BASIC_ARRAYS, BODY_LANDMARKS, Valid, from_stored, to_stored
from kinesphere.transforms.drop_invalid import DropInvalid
from kinesphere.transforms.transform import Batch
from kinesphere.transforms.wrist_velocity import wrist_velocity
from storage.shards.shard_writer import write_shard
from tests.support.expected_windows import same_batches
from tests.support.generated_trajectories import make_dataset, make_trajectory
from tests.support.transform_inputs import unchanged

DEVIATIONS = [name for name in ADDITIONAL_ARRAYS if name.endswith("_sd")]
LENGTHS = {"anna": [400, 40], "ben": [300]}
ALWAYS = Mirror(probability=1.0)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    return open_objects(tmp_path_factory.mktemp("additional"))


@pytest.fixture(scope="module")
def sure(objects: Objects) -> Dataset:
    """A dataset whose shards have all standard arrays."""
    return Dataset(objects, make_dataset(objects, "sure", LENGTHS, with_sd=LENGTHS))


@pytest.fixture(scope="module")
def mixed(objects: Objects) -> Dataset:
    """The shard of anna has the additional arrays, that of ben is as those of earlier releases."""
    return Dataset(objects, make_dataset(objects, "mixed", LENGTHS, with_sd=["anna"]))


@pytest.fixture(scope="module")
def batch(sure: Dataset) -> Batch:
    return next(iter(sure.stream(50, 16, list(ARRAYS), stride=25, weight_by="body_world")))


def test_a_shard_has_them_with_all_that_is_said_of_them(objects: Objects) -> None:
    trajectory = make_trajectory(600, seed=5, with_sd=True)
    shard = Shard(objects, write_shard(objects, [trajectory]).shard_id)
    assert list(shard.specs.items()) == list(ARRAYS.items())
    for name, spec in ADDITIONAL_ARRAYS.items():
        found = from_stored(spec, shard.read(name, 0, 600))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, trajectory.arrays[name], rtol=0.028 if spec.log_scale else 1e-7)
        assert np.isnan(found).any() and np.isfinite(found).any()


def test_any_zarr_reader_decodes_them_by_the_documented_formula(objects: Objects) -> None:
    """What a reader of an earlier release makes of it is what xarray makes of it: codes without a unit."""
    trajectory = make_trajectory(300, seed=6, with_sd=True)
    record = write_shard(objects, [trajectory])
    place = objects.local_path(record.key)
    group = zarr.open_group(str(place), mode="r")
    for name in DEVIATIONS:
        array = group[name]
        assert isinstance(array, zarr.Array)
        codes, said = np.asarray(array[:]), dict(array.attrs)
        assert codes.dtype == np.uint8
        assert (said["units"], said["value_units"], said["_FillValue"]) == ("1", ARRAYS[name].units, 0)
        assert "scale_factor" not in said
        values = np.where(codes == 0, np.nan, said["log_smallest"] * said["log_ratio"] ** (codes.astype(float) - 1))  # type: ignore[operator]
        np.testing.assert_allclose(values, trajectory.arrays[name], rtol=0.028)
    with xarray.open_zarr(place) as opened:
        said = opened["grip_sd"].attrs
        values = said["log_smallest"] * said["log_ratio"] ** (opened["grip_sd"].values.astype(float) - 1)
        np.testing.assert_allclose(values, trajectory.arrays["grip_sd"], rtol=0.028)


def test_a_shard_without_them_is_the_one_that_it_was(objects: Objects) -> None:
    plain, rich = (write_shard(objects, [make_trajectory(100, seed=7, with_sd=each)]) for each in (False, True))
    shards = [Shard(objects, record.shard_id) for record in (plain, rich)]
    assert list(shards[0].specs) == list(BASIC_ARRAYS)
    ours, theirs = (shard.attributes["objects"] for shard in shards)
    assert ours.items() <= theirs.items()  # to the last byte
    with pytest.raises(InvalidInput, match=r"has no array 'grip_sd' .* extract its recordings again \(kinesphere proc"):
        shards[0].read("grip_sd", 0, 10)


def test_streams_have_them_when_they_are_named(sure: Dataset) -> None:
    default = next(iter(sure.stream(32, 8)))
    assert set(default) == {*BASIC_ARRAYS, "mask", "episode", "frame"}
    assert list(sure.episode(0)) == list(sure.arrays) == list(ARRAYS)
    named = list(sure.stream(64, 8, list(ARRAYS), stride=16))
    stored = sure.stream(64, 8, list(ARRAYS), stride=16, dtype="int16")
    assert set(stored.log_scales) == set(DEVIATIONS) and not {*stored.log_scales} & {*stored.scales}
    seen_padding = False
    for floats, codes in zip(named, stored, strict=True):
        seen_padding |= not floats["mask"].all()
        for name in ADDITIONAL_ARRAYS:
            assert floats[name].shape == (*floats["mask"].shape, *ARRAYS[name].shape)
            assert floats[name].dtype == np.float32 and np.isnan(floats[name][~floats["mask"]]).all()
            if name in DEVIATIONS:
                assert codes[name].dtype == np.uint8
                np.testing.assert_array_equal(stored.log_scales[name].decode(codes[name]), floats[name])
        row, first = int(floats["episode"][0]), int(floats["frame"][0])
        want = sure.episode(row, DEVIATIONS)
        for name in DEVIATIONS:
            np.testing.assert_array_equal(floats[name][0][floats["mask"][0]], want[name][first : first + 64])
    assert seen_padding, "else nothing says what stands where a window is padded"


def test_random_reads_and_pools_give_the_same_windows(sure: Dataset) -> None:
    def windows(sampling: str) -> dict[tuple[int, int], bytes]:
        stream = sure.stream(16, 32, DEVIATIONS, shuffle=True, stride=5, sampling=sampling, weight_by="grip")  # type: ignore[arg-type]
        return {
            (int(batch["episode"][at]), int(batch["frame"][at])): b"".join(
                batch[key][at].tobytes() for key in (*DEVIATIONS, "weight")
            )
            for batch in stream
            for at in range(len(batch["mask"]))
        }

    assert windows("pool") == windows("random")


def test_between_frames_they_lie_on_the_line_and_beyond_a_gap_nowhere(sure: Dataset) -> None:
    plain, slow = sure.episode(0), sure.episode(0, rate=47.0)
    times, at = plain["timestamp"], slow["timestamp"]
    after = np.minimum(np.searchsorted(times, at), len(times) - 1)
    before = np.maximum(after - 1, 0)
    share = (at - times[before]) / np.maximum(times[after] - times[before], 1)
    tested = 0
    for name in ADDITIONAL_ARRAYS:
        ours = slow[name].reshape(len(at), -1)[:, 0]
        ends = [plain[name].reshape(len(times), -1)[place, 0].astype(float) for place in (before, after)]
        want = ends[0] + share * (ends[1] - ends[0])
        inside = (share > 0.01) & (share < 0.99)
        np.testing.assert_allclose(ours[inside], want[inside], rtol=1e-4, atol=1e-6)
        tested += int(np.isnan(want[inside]).sum() > 0)
    assert tested > 0, "else nothing says that nothing is made up"
    (batch,) = sure.stream(len(at), 1, list(ADDITIONAL_ARRAYS), rate=47.0, where=_first(sure))
    for name in ADDITIONAL_ARRAYS:
        np.testing.assert_array_equal(batch[name][0], slow[name])


def test_a_version_of_old_and_new_shards_is_streamed_as_before(mixed: Dataset) -> None:
    assert sum(len(batch["mask"]) for batch in mixed.stream(32, 8, stride=8)) > 0
    assert [set(mixed.episode(row)) for row in range(3)] == [set(ARRAYS), set(ARRAYS), set(BASIC_ARRAYS)]
    with pytest.raises(
        InvalidInput, match=r"has no array 'wrist_pose_sd'.* or leave out this array, or these episodes"
    ):
        list(mixed.stream(32, 8, ["wrist_pose_sd"]))
    with pytest.raises(InvalidInput, match="has no array 'grip_sd'"):
        list(mixed.stream(32, 8, ["grip"], weight_by="grip", rate=20))
    only = mixed.stream(32, 8, ["grip_sd", "grip"], weight_by="grip", where="contributor = 'anna'")
    assert sum(len(batch["weight"]) for batch in only) > 0


def test_statistics_are_those_of_the_standard_deviations_that_are_there(mixed: Dataset) -> None:
    found = mixed.statistics().arrays
    for name in DEVIATIONS:
        values = np.concatenate([mixed.episode(row, [name])[name] for row in range(2)]).astype(np.float64)
        np.testing.assert_array_equal(found[name].count, np.isfinite(values).sum(axis=0))
        np.testing.assert_allclose(found[name].mean, np.nanmean(values, axis=0), rtol=1e-6)
        np.testing.assert_allclose(found[name].std, np.nanstd(values, axis=0), rtol=1e-5)
        np.testing.assert_array_equal(found[name].minimum, np.nanmin(values, axis=0))
        np.testing.assert_array_equal(found[name].maximum, np.nanmax(values, axis=0))
        for percent, theirs in found[name].percentiles.items():
            want = np.nanquantile(values, percent / 100, axis=0, method="inverted_cdf")
            np.testing.assert_array_equal(theirs, want)


def test_velocities_that_a_shard_has_are_preferred_to_differences(mixed: Dataset) -> None:
    parts = []
    for row in range(3):
        arrays = mixed.episode(row)
        derived = wrist_velocity(arrays["timestamp"], arrays["wrist_pose"])
        parts.append(arrays.get("wrist_velocity", derived))
    both = np.concatenate(parts).astype(np.float64)
    found = mixed.action_statistics(2).arrays["wrist_velocity"]
    np.testing.assert_array_equal(found.count, np.isfinite(both).sum(axis=0))
    np.testing.assert_allclose(found.mean, np.nanmean(both, axis=0), rtol=1e-5, atol=1e-6)


def test_a_mirrored_batch_has_those_of_the_other_side(batch: Batch) -> None:
    found = unchanged(ALWAYS, batch)
    left, right = (BODY_LANDMARKS.index(name) for name in ("left_elbow", "right_elbow"))
    for name in ("body_image_sd", "body_world_sd"):
        np.testing.assert_array_equal(found[name][..., left, :], batch[name][..., right, :])
    for name in ("hands_image_sd", "hands_world_sd", "wrist_pose_sd", "wrist_velocity_sd", "grip_sd"):
        np.testing.assert_array_equal(found[name][:, :, 0], batch[name][:, :, 1])
    np.testing.assert_array_equal(found["weight"][..., left], batch["weight"][..., right])
    signs = np.array([-1, 1, 1, 1, -1, -1])
    np.testing.assert_array_equal(found["wrist_velocity"][:, :, 1], batch["wrist_velocity"][:, :, 0] * signs)
    assert same_batches([ALWAYS(found)], [batch])
    hands = batch | {"weight": np.random.default_rng(0).random((*batch["mask"].shape, 2, 21)).astype(np.float32)}
    np.testing.assert_array_equal(ALWAYS(hands)["weight"][:, :, 0], hands["weight"][:, :, 1])
    with pytest.raises(InvalidInput, match="how to mirror weights"):
        ALWAYS(batch | {"weight": batch["grip"][..., :1]})


def test_the_velocity_of_a_mirrored_motion_is_the_mirrored_velocity(batch: Batch) -> None:
    """What is derived of the mirrored poses is what mirroring makes of what is derived of the poses."""
    poses = batch["wrist_pose"].copy()
    poses[..., 3:] /= np.linalg.norm(poses[..., 3:], axis=-1, keepdims=True)
    derived = batch | {"wrist_pose": poses, "wrist_velocity": wrist_velocity(batch["timestamp"], poses)}
    found = ALWAYS(derived)
    np.testing.assert_allclose(
        found["wrist_velocity"], wrist_velocity(found["timestamp"], found["wrist_pose"]), atol=2e-3
    )


def test_normalised_numbers_keep_the_standard_deviations_that_they_have_then(sure: Dataset, batch: Batch) -> None:
    statistics = sure.statistics()
    normalize = Normalize(statistics, arrays=("wrist_pose", "hands_world", "wrist_velocity"))
    found = unchanged(normalize, batch)
    for name, lengths in (("wrist_pose", slice(3)), ("hands_world", slice(3)), ("wrist_velocity", slice(6))):
        scale = statistics.arrays[name].std[..., lengths]
        want = batch[f"{name}_sd"][..., lengths] / scale
        np.testing.assert_allclose(found[f"{name}_sd"][..., lengths], want, rtol=1e-5)
        assert found[f"{name}_sd"].dtype == np.float32
    np.testing.assert_array_equal(found["wrist_pose_sd"][..., 3:], batch["wrist_pose_sd"][..., 3:])
    np.testing.assert_array_equal(found["body_world_sd"], batch["body_world_sd"])
    np.testing.assert_array_equal(found["weight"], batch["weight"])
    back = unchanged(normalize.inverse, found)
    for name in DEVIATIONS:
        np.testing.assert_allclose(back[name], batch[name], rtol=1e-5)
    with pytest.raises(InvalidInput, match="grip_sd is divided along with grip; name that"):
        Normalize(statistics, arrays=("grip", "grip_sd"))
    with pytest.raises(InvalidInput, match="wrist_pose_sd as float32"):
        codes, _ = to_stored(ARRAYS["wrist_pose_sd"], batch["wrist_pose_sd"])
        normalize(batch | {"wrist_pose_sd": codes})


def test_frames_that_are_dropped_have_none_and_weigh_nothing(batch: Batch) -> None:
    found = unchanged(DropInvalid(Valid.LEFT_HAND, least=0), batch)
    assert (~found["mask"]).any()
    assert np.isnan(found["body_world_sd"][~found["mask"]]).all()
    assert (found["weight"][~found["mask"]] == 0).all()
    np.testing.assert_array_equal(found["weight"][found["mask"]], batch["weight"][found["mask"]])


def test_a_dataset_opens_from_its_place_with_hashes_compared(sure: Dataset, objects: Objects) -> None:
    place = objects.local_path("datasets/sure/versions/000001.json")
    assert isinstance(place, Path)
    verified = open_dataset(place.parent.parent, verify=True)
    for name in ADDITIONAL_ARRAYS:
        np.testing.assert_array_equal(verified.episode(1, [name])[name], sure.episode(1, [name])[name])


def _first(dataset: Dataset) -> str:
    return f"episode = '{dataset.episodes['episode'][0]}'"
