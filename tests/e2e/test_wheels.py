"""Both distributions: built, installed in empty environments, and used as the README says."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from kinesphere.version import __version__
from storage.publishing.publish import publish
from storage.workspace import create_workspace
from tests.support.populated_workspaces import populate
from tests.support.preloaded_command import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    output = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ROOT / "kinesphere"):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(output), str(source)]
        subprocess.run(command, check=True, capture_output=True)
    return {wheel.name.split("-")[0]: wheel for wheel in output.glob("*.whl")}


def installed(folder: Path, wheel: Path) -> Path:
    """An environment with nothing but a wheel and what it depends on; gives its folder of programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True
    )
    return programs


@pytest.fixture(scope="module")
def reader(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the reader."""
    return installed(tmp_path_factory.mktemp("reader") / "environment", wheels["kinesphere"])


def test_the_application_installs_in_an_empty_environment(wheels: dict[str, Path], tmp_path: Path) -> None:
    programs = installed(tmp_path / "environment", wheels["kinesphere_studio"])
    shown = subprocess.run(
        [programs / "kinesphere", "--help"], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "publish" in shown.stdout
    version = subprocess.run([programs / "kinesphere", "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.strip() == __version__
    # without the extras, a command that needs them says what to install
    subprocess.run([programs / "kinesphere", "init", "w"], check=True, capture_output=True, cwd=tmp_path)
    missing = subprocess.run([programs / "kinesphere", "cameras"], capture_output=True, text=True, cwd=tmp_path)
    assert missing.returncode == 1
    assert "pip install 'kinesphere-studio[capture]'" in " ".join(missing.stderr.split())


def test_the_reader_runs_the_readme_beside_a_foreign_storage(
    wheels: dict[str, Path], reader: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheels["kinesphere"]) as wheel:
        names = wheel.namelist()
    assert "kinesphere/__init__.py" in names and "kinesphere/py.typed" in names
    assert not [name for name in names if name.startswith("storage/")]

    workspace = create_workspace(tmp_path / "kinesphere-demo")
    populate(workspace, {"anna": 2}, frames=200)
    publish(workspace, "demo")
    workspace.catalog.close()
    foreign = tmp_path / "storage"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("raise RuntimeError('the wrong storage was imported')\n")
    readme = (ROOT / "README.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL))
    assert "import kinesphere" in code
    (tmp_path / "train.py").write_text(code)
    shown = subprocess.run([reader / "python", "train.py"], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "'label': 'move'" in shown.stdout
    assert "(16, 64, 2, 7)" in shown.stdout


def test_every_module_of_the_reader_imports_with_its_own_dependencies_alone(
    wheels: dict[str, Path], reader: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheels["kinesphere"]) as wheel:
        shipped = {name for name in wheel.namelist() if name.endswith(".py")}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "kinesphere").rglob("*.py")}
    assert shipped == files, "the wheel is the folder as it stands"
    modules = sorted(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in shipped)
    foreign = {"storage", "capture", "pose", "annotate", "studio", "pydantic", "sqlalchemy", "av", "torch"}
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; "
        f"print(sorted({foreign} & set(sys.modules)))"
    )
    shown = subprocess.run([reader / "python", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == "[]"


def test_what_needs_an_extra_of_the_reader_names_it_when_it_is_used(reader: Path, tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "w")
    populate(workspace, {"anna": 1}, frames=100)
    publish(workspace, "demo")
    workspace.catalog.close()
    code = (
        "import io, kinesphere as ks; dataset = ks.open_dataset('w/datasets/demo')\n"
        "from kinesphere.video.seeking import SeekingVideo\n"
        "for use in (lambda: dataset.torch(8, 4), lambda: SeekingVideo(io.BytesIO(), 'a video')):\n"
        "    try: use()\n"
        "    except ks.MissingDependency as error: print(error)"
    )
    shown = subprocess.run([reader / "python", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "pip install 'kinesphere[torch]'" in shown.stdout and "pip install 'kinesphere[video]'" in shown.stdout


def test_the_reader_weighs_by_standard_deviations(reader: Path, tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "w")
    populate(workspace, {"anna": 1}, frames=100, with_sd=("anna",))
    publish(workspace, "demo")
    workspace.catalog.close()
    code = (
        "import kinesphere as ks; dataset = ks.open_dataset('w/datasets/demo')\n"
        "batch = next(iter(dataset.stream(64, 8, ['wrist_pose', 'wrist_pose_sd'], weight_by='wrist_pose')))\n"
        "print(batch['wrist_pose_sd'].shape, batch['weight'].shape, bool(0 < batch['weight'].max() < 1))"
    )
    shown = subprocess.run([reader / "python", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == "(8, 64, 2, 6) (8, 64, 2) True"


def test_importing_the_reader_takes_no_time_until_a_name_is_asked_for(reader: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; began = time.process_time(); import kinesphere; took = time.process_time() - began; "
        "assert 'numpy' not in sys.modules; print(took)"
    )
    runs = [
        subprocess.run([reader / "python", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
        for _ in range(5)
    ]
    assert min(float(run.stdout) for run in runs) < 0.1


def test_the_reader_imports_fast_and_light(reader: Path, tmp_path: Path) -> None:
    code = (
        "import time; began = time.process_time(); import kinesphere; kinesphere.open_dataset; "
        "print(time.process_time() - began)"
    )
    fastest = min(
        float(
            subprocess.run(
                [reader / "python", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
            ).stdout
        )
        for _ in range(5)
    )
    assert fastest < 0.5
