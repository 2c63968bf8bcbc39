"""ONNX files: what cannot be used is refused in one line that says why, and the same picture gives the same numbers."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kinesphere.errors import InvalidInput
from pose.networks.onnx_network import OnnxNetwork
from tests.support.onnx_models import fixed_model, whole_body_model
from tests.support.preloaded_command import ROOT

ANSWER = {"answer": np.arange(6, dtype=np.float32).reshape(1, 2, 3)}


def refusal(path: Path) -> str:
    with pytest.raises(InvalidInput) as raised:
        OnnxNetwork(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_network_knows_its_picture_and_its_hash(tmp_path: Path) -> None:
    path = fixed_model(tmp_path / "a.onnx", ANSWER, (1, 3, 48, 64))
    network = OnnxNetwork(path)
    assert (network.width, network.height) == (64, 48)
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (answer,) = network.run(np.zeros((3, 48, 64), np.float32))
    np.testing.assert_array_equal(answer, ANSWER["answer"])
    with pytest.raises(InvalidInput, match=r"ONNX Runtime cannot run .*a\.onnx"):
        network.run(np.zeros((3, 64, 48), np.float32))


def test_the_number_of_pictures_may_be_left_open_and_their_size_may_not(tmp_path: Path) -> None:
    assert OnnxNetwork(fixed_model(tmp_path / "a.onnx", ANSWER, ("batch", 3, 48, 64))).width == 64
    told = refusal(fixed_model(tmp_path / "b.onnx", ANSWER, (1, 3, "height", "width")))
    assert "of a fixed size; it takes input: tensor(float) [1, 3, 'height', 'width']" in told


@pytest.mark.parametrize("shape", [(1, 1, 48, 64), (1, 48, 64, 3), (3, 48, 64), (1, 3, 0, 64)])
def test_what_takes_no_colour_picture_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    assert "should take one float picture of 1 x 3 x height x width" in refusal(
        fixed_model(tmp_path / "a.onnx", ANSWER, shape)
    )


def test_what_is_no_onnx_file_is_named(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "text": b"not a network", "bytes": bytes(range(256)) * 40}.items():
        (tmp_path / name).write_bytes(content)
        assert f"{tmp_path / name} is no ONNX file that can be used" in refusal(tmp_path / name)
    whole = whole_body_model(tmp_path / "whole.onnx", [(0, (0, 0))]).read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    assert "half is no ONNX file" in refusal(tmp_path / "half")
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("end2end.onnx", whole)
    assert "is a zip archive; unpack it and give the ONNX file" in refusal(tmp_path / "model.zip")
    assert "cannot read" in refusal(tmp_path / "absent.onnx") and "No such file" in refusal(tmp_path / "absent.onnx")
    assert "cannot read" in refusal(tmp_path)


def test_without_onnx_runtime_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    script = (
        "import sys\nsys.modules['onnxruntime'] = None\nfrom pathlib import Path\n"
        "from kinesphere.errors import MissingDependency\nfrom pose.networks.onnx_network import OnnxNetwork\n"
        "try:\n    OnnxNetwork(Path(sys.argv[1]))\nexcept MissingDependency as error:\n    print(error)\n"
    )
    path = fixed_model(tmp_path / "a.onnx", ANSWER)
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "onnxruntime" in done.stdout and "[onnx]'" in done.stdout and "pip install" in done.stdout
