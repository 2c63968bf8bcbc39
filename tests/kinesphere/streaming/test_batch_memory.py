"""Memory of batches is used again only when nobody can see it."""

import numpy as np
import pytest

from kinesphere.streaming.batch_memory import REUSED_BATCHES, BatchMemory


def test_an_array_that_nobody_holds_is_given_again() -> None:
    memory = BatchMemory()
    address = memory.array("a", (4, 3), np.int16).ctypes.data
    assert memory.array("a", (4, 3), np.int16).ctypes.data == address
    assert memory.array("b", (4, 3), np.int16).ctypes.data != address
    assert memory.array("a", (5, 3), np.int16).shape == (5, 3)
    assert memory.array("a", (4, 3), np.uint16).dtype == np.uint16


def test_an_array_or_a_view_of_it_that_is_held_is_never_given_again() -> None:
    memory = BatchMemory()
    held = [memory.array("a", (4, 3), np.int16) for _ in range(3 * REUSED_BATCHES)]
    views = [memory.array("a", (4, 3), np.int16)[1:, 0] for _ in range(3 * REUSED_BATCHES)]
    buffers = [memory.array("a", (4, 3), np.int16).data for _ in range(3 * REUSED_BATCHES)]
    places = [array.ctypes.data for array in held] + [view.ctypes.data for view in views]
    places += [np.asarray(buffer).ctypes.data for buffer in buffers]
    assert len(set(places)) == 9 * REUSED_BATCHES


@pytest.mark.torch
def test_a_tensor_holds_its_memory() -> None:
    import torch

    memory = BatchMemory()
    tensors = [torch.from_numpy(memory.array("a", (4, 3), np.int16)) for _ in range(3 * REUSED_BATCHES)]
    assert len({tensor.data_ptr() for tensor in tensors}) == 3 * REUSED_BATCHES
