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
    as they fit; an episode shorter than a window has exactly one, padded at its end. What comes along before and
    after each window decides nothing about windows, blocks and their order. Arrays are int64, one entry a block.
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
    """How many frames they cover together, without what comes along."""
    history: int = 0
    """Frames that come along before each window, as far as the episode has them."""
    future: int = 0
    """Frames that come along after each window, as far as the episode has them."""

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

    def carried(self, blocks: Integers, lengths: Integers) -> tuple[Integers, Integers]:
        """Where the frames of blocks begin and end in their episodes, with all that comes along.

        Args:
            blocks: int64, some of the blocks.
            lengths: int64, frames of each chosen episode.

        Returns:
            The first frame of each block in its episode, and the one after its last, int64 like `blocks`.
        """
        first, episode = self.first_frame[blocks], self.episode[blocks]
        stop = np.minimum(first + self.frames[blocks] + self.future, lengths[episode])
        return np.maximum(first - self.history, 0), stop

    def most_carried(self, lengths: Integers, frames: int) -> int:
        """The most frames, with all that comes along, of blocks that cover `frames` frames together.

        The bound of the knapsack that may cut its last item: blocks in the order of how much more they carry.

        Args:
            lengths: int64, frames of each chosen episode.
            frames: how many are covered.

        Returns:
            Number of frames.
        """
        if not self.history and not self.future:
            return frames
        start, stop = self.carried(np.arange(len(self), dtype=np.int64), lengths)
        order = np.argsort(-(stop - start) / self.frames, kind="stable")
        blocks = int(np.searchsorted(np.cumsum(self.frames[order]), frames)) + 1
        return int((stop - start)[order[:blocks]].sum())


def index_windows(
    lengths: Integers, window: int, stride: int, block_frames: int, *, history: int = 0, future: int = 0
) -> WindowIndex:
    """Cut episodes into blocks.

    Args:
        lengths: int64, frames of each episode.
        window: frames of a window.
        stride: frames between the beginnings of successive windows of an episode.
        block_frames: the most frames of a block, unless a window is longer.
        history: frames that come along before each window.
        future: frames that come along after each window.

    Returns:
        The blocks of all episodes, in their order.
    """
    per_episode = np.where(lengths >= window, (lengths - window) // stride + 1, 1)
    per_block = max(1, (block_frames - window) // stride + 1)
    blocks = -(-per_episode // per_block)
    episode = np.repeat(np.arange(len(lengths), dtype=np.int64), blocks)
    first_of_episode = np.cumsum(blocks) - blocks
    first_window = (np.arange(len(episode), dtype=np.int64) - np.repeat(first_of_episode, blocks)) * per_block
    windows = np.minimum(per_block, per_episode[episode] - first_window)
    frames = np.minimum((windows - 1) * stride + window, lengths[episode])
    return WindowIndex(window, stride, episode, first_window * stride, windows, frames, history, future)
