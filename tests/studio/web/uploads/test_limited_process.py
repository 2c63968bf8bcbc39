"""What looks at strangers' videos for the server ends with the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.other_processes import noted_processes, wait_until_gone


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which needs the interpreter")
def test_a_server_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    note = tmp_path / "process"
    code = (
        "import sys; from studio.web.uploads.limited_process import Limits, run_limited\n"
        "limits = Limits(cpu_seconds=600, wall_seconds=600)\n"
        "run_limited('tests.support.endless_look', sys.argv[1], limits=limits)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", code, str(note)], env=environment)
    processes = noted_processes(note, parent)
    parent.kill()
    parent.wait()
    wait_until_gone(processes)
