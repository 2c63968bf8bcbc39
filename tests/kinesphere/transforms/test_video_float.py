"""Video as float32, channels first."""

import numpy as np
import pytest

from kinesphere import VideoFloat
from kinesphere.errors import InvalidInput
from kinesphere.transforms.video_float import IMAGENET_MEAN, IMAGENET_STD
from tests.support.transform_inputs import unchanged


def test_pictures_are_floats_with_channels_first() -> None:
    video = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 3), np.uint8)
    found = unchanged(VideoFloat(), {"video": video})["video"]
    assert found.dtype == np.float32
    assert (found.shape, found.flags.c_contiguous) == ((2, 3, 3, 4, 5), True)
    np.testing.assert_allclose(found, np.moveaxis(video, -1, 2) / 255, atol=1e-6)


def test_channels_are_normalised() -> None:
    video = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 3), np.uint8)
    found = unchanged(VideoFloat(IMAGENET_MEAN, IMAGENET_STD), {"video": video})["video"]
    expected = (video / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(np.moveaxis(found, 2, -1), expected, atol=1e-5)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(InvalidInput, match="needs video as uint8"):
        VideoFloat()({"grip": np.zeros((1, 1, 2), np.float32)})
    with pytest.raises(InvalidInput, match="three numbers"):
        VideoFloat(std=(1.0, 0.0, 1.0))
