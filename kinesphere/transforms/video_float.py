"""Video as networks want it: float32, channels before height and width."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kinesphere.errors import InvalidInput
from kinesphere.transforms.transform import Batch
from kinesphere.video.video_keys import VIDEO

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class VideoFloat:
    """Turns "video" into float32 `[B, W, 3, height, width]`, from 0 to 1, or normalised by channel.

    It takes four times the memory, and 4 bytes a number on the way to a GPU: where that counts, hand over uint8 and
    convert there. Padding is black before it is normalised.

    Raises:
        InvalidInput: a mean or a deviation has not three numbers, a deviation is not positive, or a batch has no video.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from red, green and blue; `IMAGENET_MEAN` of this module for networks trained on ImageNet."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """What they are divided by then; `IMAGENET_STD`."""
    keys: tuple[str, ...] = field(default=(VIDEO,), init=False)

    def __post_init__(self) -> None:
        if [len(numbers) for numbers in (self.mean, self.std)] != [3, 3] or min(self.std) <= 0:
            raise InvalidInput(f"mean and std should be three numbers each, std above 0, got {self.mean}, {self.std}")

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its video as float32."""
        if VIDEO not in batch or batch[VIDEO].dtype != np.uint8:
            raise InvalidInput('VideoFloat needs video as uint8; stream with keys=[..., "video"], and use it once')
        found = np.moveaxis(batch[VIDEO], -1, -3).astype(np.float32, order="C")
        channels = np.array([self.mean, self.std], np.float32)[:, :, None, None]
        found /= np.float32(255) * channels[1]
        found -= channels[0] / channels[1]
        return batch | {VIDEO: found}
