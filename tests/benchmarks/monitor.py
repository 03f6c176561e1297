"""What an update of the live page takes, with 3,200 partitions, 64 workers and the points of two days, all simulated.

    uv run python tests/benchmarks/monitor.py [--partitions 3200] [--workers 64] [--updates 40]

`look`: the ledger is read, by the same looks as for the page. `build`: what changed is found and written as a message.
`apply`: the script of a page in Chromium has put the message into the page. `painted`: from there on until the next frame
is painted, waiting for the frame included. Milliseconds. The ledger's server and the browser share the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from phimask.engine.control import StopSignal
from phimask.ledger.opening import Ledger, open_ledger
from phimask.monitor.door import new_token
from phimask.monitor.hub import Channel
from phimask.monitor.looking import Looker
from phimask.monitor.serving import listening, serve
from phimask.store.embedded import EmbeddedMongod, find_mongod
from simulated_ledger import SimulatedRun

TWO_DAYS = 2 * 24 * 3600 // 5
WATCH = """
() => {
  window.times = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.times.push([entry.duration, performance.now() - entry.startTime]);
        channel.port2.postMessage(0);
      });
    }
  }).observe({ type: 'measure' });
}
"""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=3200)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--updates", type=int, default=40)
    given = parser.parse_args()
    with EmbeddedMongod(find_mongod(os.environ)) as server, MongoClient(server.uri) as client:
        ledger = open_ledger(client, "simulated", "masking_coordination")
        run = SimulatedRun(ledger, partitions=given.partitions, workers=given.workers)
        run.done(given.partitions // 2)
        run.past(TWO_DAYS)
        run.step()
        print(f"{given.partitions:,} partitions, {given.workers} workers, {TWO_DAYS:,} points of the past")
        _server(ledger, run, given.updates)
        browser = os.environ.get("PHIMASK_CHROMIUM") or shutil.which("chromium")
        if browser is None:
            print("no Chromium: set PHIMASK_CHROMIUM to measure the page, too")
        else:
            _page(ledger, run, given.updates, browser)


def _server(ledger: Ledger, run: SimulatedRun, updates: int) -> None:
    looker, channel = Looker(ledger), Channel()
    looks, builds, sizes = [], [], []
    for number in range(updates + 1):
        run.step()
        run.point()
        began = time.perf_counter()
        runs, shown = looker.look([""])
        looked = time.perf_counter()
        channel.publish({"runs": runs, **shown[""]})
        message = channel.message(channel.version - 1)
        built = time.perf_counter()
        if not number:
            print(f"first look, with all points: {1000 * (looked - began):.0f} ms, {len(message):,} bytes")
            continue
        looks.append(1000 * (looked - began))
        builds.append(1000 * (built - looked))
        sizes.append(len(message))
    _row("look", looks)
    _row("build", builds)
    _row("look and build", [look + build for look, build in zip(looks, builds, strict=True)])
    print(f"an update has {statistics.median(sizes):,.0f} bytes, {max(sizes):,} at most")


def _page(ledger: Ledger, run: SimulatedRun, updates: int, browser: str) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (its absence costs this part only)

    with _served(ledger) as url, sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1360, "height": 1500})
        page.goto(url)
        page.wait_for_selector("#workers tbody tr")
        page.evaluate(WATCH)
        until = time.monotonic() + 10 * updates
        while (done := page.evaluate("window.times.length")) < updates and time.monotonic() < until:
            run.step()
            run.point()
            time.sleep(1)
        times: list[list[float]] = page.evaluate("window.times")
        chromium.close()
    assert done, "the page was not updated"
    _row("apply", [one[0] for one in times])
    _row("painted", [one[1] for one in times])


@contextmanager
def _served(ledger: Ledger) -> Iterator[str]:
    stop, token = StopSignal(), new_token()
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        arguments: tuple[Any, ...] = (ledger, listener, token, None)
        keywords = {"host": "127.0.0.1", "read_only": True, "stop": stop}
        thread = threading.Thread(target=serve, args=arguments, kwargs=keywords)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/signin#token={token.reveal()}"
        finally:
            stop.stop()
            thread.join()


def _row(name: str, times: Iterable[float]) -> None:
    ordered = sorted(times)
    tail = ordered[int(0.95 * (len(ordered) - 1))]
    print(
        f"{name:16} median {statistics.median(ordered):6.1f}  95th {tail:6.1f}  greatest {ordered[-1]:6.1f}"
    )


if __name__ == "__main__":
    main()
