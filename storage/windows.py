"""Which windows a set of episodes has, described by blocks in a few compact arrays, never one object a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class WindowIndex:
    """The windows of chosen episodes, in blocks of consecutive windows of one episode.

    A window has `window` frames. An episode of n frames has windows at its frames 0, stride, 2 stride, ... as far
    as they fit; an episode shorter than a window has exactly one, padded at its end. Arrays are int64, one
    entry a block.
    """

    window: int
    stride: int
    episode: Integers
    """Place of the block's episode among the chosen ones."""
    first_frame: Integers
    """Frame of the episode at which the block's first window begins."""
    windows: Integers
    """How many windows begin in the block."""
    frames: Integers
    """How many frames they cover together."""

    def __len__(self) -> int:
        return len(self.episode)

    @property
    def total_windows(self) -> int:
        """Number of windows of all blocks."""
        return int(self.windows.sum())

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in (self.episode, self.first_frame, self.windows, self.frames))


def index_windows(lengths: Integers, window: int, stride: int, block_frames: int) -> WindowIndex:
    """Cut episodes of the given lengths into blocks of at most `block_frames` frames, or one window if longer."""
    per_episode = np.where(lengths >= window, (lengths - window) // stride + 1, 1)
    per_block = max(1, (block_frames - window) // stride + 1)
    blocks = -(-per_episode // per_block)
    episode = np.repeat(np.arange(len(lengths), dtype=np.int64), blocks)
    first_of_episode = np.cumsum(blocks) - blocks
    first_window = (np.arange(len(episode), dtype=np.int64) - np.repeat(first_of_episode, blocks)) * per_block
    windows = np.minimum(per_block, per_episode[episode] - first_window)
    frames = np.minimum((windows - 1) * stride + window, lengths[episode])
    return WindowIndex(window, stride, episode, first_window * stride, windows, frames)
