"""Takes the pictures of the README: serves a workspace and looks at three pages, in Debian's Chromium.

`python docs/pictures.py WORKSPACE` wants a workspace with an extracted recording to label and one that waits for review.
"""

from __future__ import annotations

import os
import subprocess
import sys
import json
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
SIZE = {"width": 1440, "height": 900}


def main(workspace: Path) -> None:
    """Serve the workspace and take the pictures."""
    command = [sys.executable, "-m", "studio", "serve", "--port", "0", "--json", "--workspace", str(workspace)]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert serving.stdout is not None
    try:
        served = json.loads(_first_json(serving.stdout))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_context(viewport=SIZE, color_scheme="dark").new_page()  # type: ignore[arg-type]
            page.goto(served["link"])
            _label(page, served["url"])
            _take(page, "label")
            page.goto(f"{served['url']}/review")
            page.get_by_role("heading", name="What is doubted").wait_for()
            page.wait_for_timeout(4000)
            _take(page, "review")
            page.evaluate("localStorage.setItem('theme', 'light')")
            page.goto(f"{served['url']}/dashboard/diversity")
            page.wait_for_load_state("networkidle")
            _take(page, "dashboard")
            browser.close()
    finally:
        serving.terminate()
        serving.wait()


def _label(page: Page, url: str) -> None:
    page.goto(f"{url}/label")
    page.wait_for_timeout(2000)
    page.screenshot(path="/tmp/label_home.png")
    page.get_by_role("button", name="next").or_(page.get_by_role("link", name="next")).first.click()
    page.locator("#timeline").wait_for()
    page.wait_for_timeout(6000)


def _take(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def _first_json(lines: object) -> str:
    text = ""
    for line in lines:  # type: ignore[attr-defined]
        text += line
        if line.startswith("}"):
            return text
    raise SystemExit("the studio did not start")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
