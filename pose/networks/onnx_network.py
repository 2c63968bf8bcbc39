"""A network in an ONNX file, run by ONNX Runtime on the processor: the same picture, the same numbers."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra

Pixels = NDArray[np.float32]

THREADS = 2
"""As many as the built-in extractor has for a recording, on every machine: how work is cut could change the sums."""


class OnnxNetwork:
    """A network that takes one picture and gives some arrays."""

    def __init__(self, path: Path) -> None:
        """Read the file whole, so that what runs is what was hashed.

        Args:
            path: of the ONNX file.

        Raises:
            InvalidInput: there is no such file, it is none of ONNX, or it takes something else than a colour picture.
            MissingDependency: ONNX Runtime is not installed.
        """
        self.path = path
        content = _content(path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._session = _session(content, path)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        sizes = [side for side in shape[2:] if isinstance(side, int) and side > 0]
        if len(shape) != 4 or shape[1] != 3 or len(sizes) != 2 or inputs[0].type != "tensor(float)":
            taken = ", ".join(f"{given.name}: {given.type} {given.shape}" for given in inputs)
            raise InvalidInput(
                f"{path} should take one float picture of 1 x 3 x height x width, of a fixed size; it takes "
                f"{taken or 'nothing'}"
            )
        self._input = str(inputs[0].name)
        self.height, self.width = sizes
        """Of the picture that it takes, in pixels."""

    def run(self, picture: Pixels) -> list[NDArray[Any]]:
        """Give a picture to the network.

        Args:
            picture: float32 (3, height, width), scaled as the network wants it.

        Returns:
            Its outputs, in the order of the file, each with a first axis of one picture.

        Raises:
            InvalidInput: ONNX Runtime cannot run it.
        """
        try:
            found = self._session.run(None, {self._input: np.ascontiguousarray(picture[None], np.float32)})
        except _refusals() as error:
            raise InvalidInput(f"ONNX Runtime cannot run {self.path} ({_reason(error)})") from error
        return [np.asarray(values) for values in found]


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    if zipfile.is_zipfile(path):
        raise InvalidInput(f"{path} is a zip archive; unpack it and give the ONNX file that is in it (end2end.onnx)")
    return content


def _session(content: bytes, path: Path) -> Any:
    with needs_extra("onnx"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what is wrong is in the exception
    # threads that wait must not keep the cores from decoding
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _refusals() as error:
        raise InvalidInput(f"{path} is no ONNX file that can be used ({_reason(error)})") from error


def _refusals() -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime, which have no class in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    names = ("EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NoSuchFile")
    return tuple(getattr(runtime, name) for name in (*names, "NotImplemented", "RuntimeException"))


def _reason(error: Exception) -> str:
    """What ONNX Runtime says, in one line, without its number."""
    return " ".join(str(error).rsplit(" : ", 1)[-1].split())
