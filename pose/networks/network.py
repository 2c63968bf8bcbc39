"""One network of a bundle by itself, run by LiteRT on square pictures without copying what goes in and comes out."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from pose.networks.bundles import without_outputs
from pose.networks.models import Model


class Network:
    """An interpreter of one network, for one thread, with its tensors allocated."""

    def __init__(
        self, model: Model, member: str, shapes: Sequence[Sequence[int]], unread: Collection[int] = ()
    ) -> None:
        """
        Args:
            model: the bundle.
            member: name of the network in it.
            shapes: of all its outputs, in their order.
            unread: positions of outputs that nobody reads: what only they need is not computed.

        Raises:
            InvalidInput: the bundle has no such network, or its outputs are not of these shapes.
            MissingDependency: LiteRT is not installed.
        """
        with needs_extra("pose"):
            from ai_edge_litert.interpreter import Interpreter

        expected = [list(shape) for position, shape in enumerate(shapes) if position not in unread]
        try:
            with zipfile.ZipFile(model.path) as bundle:
                content = without_outputs(bundle.read(member), unread)
            interpreter = Interpreter(model_content=content, num_threads=1)
            interpreter.allocate_tensors()
        except (InvalidInput, RuntimeError, ValueError, KeyError, OSError, struct.error, zipfile.BadZipFile) as error:
            reason = str(error).strip().splitlines()[0]
            raise InvalidInput(f"LiteRT cannot use the model {model.path}: {reason}") from error
        found = [output["shape"].tolist() for output in interpreter.get_output_details()]
        if found != expected:
            raise InvalidInput(f"{member} in {model.path} gives {found}, not {expected}; give MediaPipe's own network")
        picture = interpreter.get_input_details()[0]
        self._interpreter = interpreter
        self._input = interpreter.tensor(picture["index"])
        self._outputs = [interpreter.tensor(output["index"]) for output in interpreter.get_output_details()]
        self.pixels = int(picture["shape"][1])
        """Width and height of the pictures that it looks at."""

    def run(self, picture: NDArray[np.uint8], low: float = 0.0, high: float = 1.0) -> list[NDArray[np.float32]]:
        """The outputs for one picture, without the first axis, in the network's own memory.

        They must be gone before the next run: LiteRT refuses to run while somebody still looks at its memory.

        Args:
            picture: uint8 (pixels, pixels, 3).
            low, high: what black and white are to the network.
        """
        values = self._input()[0]
        np.multiply(picture, np.float32((high - low) / 255), out=values)
        if low:
            values += np.float32(low)
        del values
        self._interpreter.invoke()
        return [output()[0] for output in self._outputs]
