"""Makes docs/images/monitor.png: the live page in Chromium, of a real run on sample documents that was paused once.

python docs/make_monitor_picture.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from phimask.masking.keys import MaskingKey
from phimask.store.embedded import EmbeddedMongod, find_mongod

PICTURE: Final = Path(__file__).resolve().parent / "images" / "monitor.png"
_DOCUMENTS: Final = "60000"
_SETTINGS: Final = ("executor.options.workers=2", "partitioner={name: sample, options: {target_size: 6MB}}")
_PROJECT: Final = """\
version: 1
uri: ${PHIMASK_URI}
database: ehr
profile: production
collections: [container]
"""


@contextmanager
def started(folder: Path, environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """phimask as a process, ended with the block."""
    with (folder / f"{arguments[0]}.err").open("w") as errors:
        command = [sys.executable, "-m", "phimask", *arguments]
        process = subprocess.Popen(  # noqa: S603  (this project's own command)
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def picture() -> None:
    """Mask, watch, and take the picture when most of it is done."""
    chromium = os.environ.get("PHIMASK_CHROMIUM") or shutil.which("chromium")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "phimask.yaml").write_text(_PROJECT, encoding="utf-8")
        server = stack.enter_context(EmbeddedMongod(find_mongod(os.environ)))
        environ = {**os.environ, "PHIMASK_URI": server.uri, "PHIMASK_KEY": MaskingKey.generate().text()}
        sample = [sys.executable, "-m", "phimask", "sample", "-d", "ehr", "--docs", _DOCUMENTS]
        subprocess.run(sample, cwd=folder, env=environ, check=True)  # noqa: S603  (as above)
        settings = [word for one in _SETTINGS for word in ("--set", one)]
        stack.enter_context(started(folder, environ, "run", "--yes", *settings))
        monitor = stack.enter_context(started(folder, environ, "monitor", "--port", "0", "--json"))
        assert monitor.stdout is not None  # noqa: S101  (for the type checker)
        url = json.loads("".join(iter(monitor.stdout.readline, "}\n")) + "}")["url"]
        play = stack.enter_context(sync_playwright())
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.callback(browser.close)
        page = browser.new_page(viewport={"width": 1280, "height": 1180}, color_scheme="light")
        page.set_default_timeout(300_000)
        page.goto(url)
        _done(page, 25)
        page.click("#pause")
        page.wait_for_selector("#holding:not([hidden])")
        time.sleep(6)
        page.click("#continue")
        _done(page, 70)
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=PICTURE)


def _done(page: object, percent: int) -> None:
    page.wait_for_function(  # type: ignore[attr-defined]  # a Page; the import would be needed for its type alone
        "least => parseFloat(document.querySelector('#tiles .value')?.textContent) >= least", arg=percent
    )


if __name__ == "__main__":
    picture()
