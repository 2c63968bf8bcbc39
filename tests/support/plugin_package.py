"""A package with checks of a project's own, some of which misbehave, installed into a folder as pip would."""

from __future__ import annotations

from pathlib import Path

from tests.support.extension_package import install_extension

CODE = """
import os, subprocess, sys, time
from annotate.checks.findings import Check, Finding


def share_of_valid(evidence, limit):
    valid = evidence.trajectory.arrays["valid"] > 0
    end = evidence.footage.end_ns
    return Finding(float(valid.mean()), f"something is seen in {valid.mean():.0%} of the frames", ((0, end),))

def raises(evidence, limit):
    raise ValueError("the table\\nis not there")

def hangs(evidence, limit):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # holds our output open
    if "KINESPHERE_TEST_NOTE" in os.environ:
        with open(os.environ["KINESPHERE_TEST_NOTE"], "w") as note:
            note.write(f"{os.getpid()} {child.pid}")
    time.sleep(600)

def prints(evidence, limit):
    while True:
        print("x" * 65536)

def prints_little(evidence, limit):
    print("looking ...")
    return Finding(1.0, "fine")

def eats(evidence, limit):
    return Finding(float(len(bytearray(8 << 30))), "ate")

def crashes(evidence, limit):
    os.abort()

def exits(evidence, limit):
    os._exit(0)

def check(find, direction="at least"):
    return Check(find.__name__, direction, find, "a test", "do better", "apples")

def nothing(evidence, limit): return None
def text(evidence, limit): return "all is well"
def not_a_number(evidence, limit): return Finding(float("nan"), "well")
def wordless(evidence, limit): return Finding(1.0, "")
def odd_ranges(evidence, limit): return Finding(1.0, "well", ((1, 2, 3),))

fine, lower = check(share_of_valid), check(share_of_valid, "at most")
raising, hanging, printing, talking = check(raises), check(hangs), check(prints), check(prints_little)
eating, crashing, exiting, silent = check(eats), check(crashes), check(exits), check(nothing)
texting, uncounted, unsaid, misranged = check(text), check(not_a_number), check(wordless), check(odd_ranges)
function = share_of_valid
"""
NAMES = (
    *("fine", "lower", "raising", "hanging", "printing", "talking", "eating", "crashing", "exiting", "silent"),
    *("texting", "uncounted", "unsaid", "misranged", "function", "absent"),
)


def install_plugins(folder: Path, package: str = "acme-checks", version: str = "1.2") -> Path:
    """Write the package and its metadata; on the path, it is installed."""
    return install_extension(folder, package, CODE, {"kinesphere.checks": {name: name for name in NAMES}}, version)
