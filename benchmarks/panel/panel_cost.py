"""What the control page costs the stream, and how fast it answers: `python -m benchmarks.panel.panel_cost`.

The program runs on the demo as fast as it can. In turns no page is open, a client pulls the preview, and the page is
open in Chromium, which decodes and draws on the same processor. Needs `[panel]`, Playwright and Chromium.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

_CHROMIUM = "/usr/bin/chromium"


@dataclass(frozen=True, slots=True)
class _Program:
    port: int
    token: str
    pid: int

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={self.token}"

    def frames_out(self) -> int:
        """Return the number of frames sent so far."""
        address = f"http://127.0.0.1:{self.port}/api/report"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(json.load(answer)["frames_out"])


def main(
    look: Annotated[str, typer.Option(help="Name of the look.")] = "glaze",
    turns: Annotated[int, typer.Option(help="Number of turns.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of each part of a turn.")] = 4.0,
    clicks: Annotated[int, typer.Option(help="Number of clicks whose latency is measured.")] = 40,
) -> None:
    """Print the frames per second of each part, their ratios, the first paint and the latency of a click."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, _running(Path(home), look) as program, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        paints = [_first_paint(page, program) for _ in range(5)]
        _wait_for_tiles(page)
        print(f"first paint: median {statistics.median(paints):.0f} ms, at most {max(paints):.0f} ms")
        latency = sorted(_click_latency(page, index) for index in range(clicks))
        print(f"click to changed picture: p50 {latency[clicks // 2]:.0f} ms, p95 {latency[int(clicks * 0.95)]:.0f} ms")
        page.goto("about:blank")
        parts: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
            "no page": contextlib.nullcontext,
            "preview": lambda: _pulling(program),
            "Chromium": lambda: _open_page(page, program),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
        for _ in range(turns):
            for name, part in parts.items():
                with part():
                    found[name].append(_speed(program, seconds))
        browser.close()
    for name, turns_of_part in found.items():
        pairs = list(zip(turns_of_part, found["no page"], strict=True))
        rate, cost = (statistics.median(one[index] / base[index] for one, base in pairs) for index in (0, 1))
        median = statistics.median(one[0] for one in turns_of_part)
        print(f"{name}: {median:.1f} fps, {rate:.3f} of no page; processor time a frame {cost:.3f} of no page")


@contextlib.contextmanager
def _running(home: Path, look: str) -> Iterator[_Program]:
    command = [sys.executable, "-m", "live", "run", "--source", "demo", "--sink", "null", "--look", look]
    command += ["--panel", "--panel-port", "0", "--no-browser", "--no-build"]
    environment = os.environ | {"VENEER_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        port = 0
        for line in process.stderr:
            if found := re.search(r"control page: http://[^:]+:(\d+)/", line):
                port = int(found[1])
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield _Program(port, (home / "config" / "panel-token").read_text().strip(), process.pid)
        finally:
            process.terminate()


def _first_paint(page: Any, program: _Program) -> float:
    """Load the page and return the time to its first contentful paint in ms."""
    page.goto("about:blank")
    page.goto(program.link)
    page.wait_for_selector("#connection[data-state=connected]", timeout=60_000)
    script = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
    while (paint := float(page.evaluate(script))) < 0:
        time.sleep(0.05)
    return paint


def _wait_for_tiles(page: Any) -> None:
    page.wait_for_selector("#preview[data-pictures]", timeout=60_000)
    page.wait_for_selector("#tile-note", state="hidden", timeout=300_000)


def _click_latency(page: Any, index: int) -> float:
    """Click one of two lipsticks and return the ms until the preview has drawn a picture that was painted with it."""
    name = ("matte-red", "nude-satin")[index % 2]
    script = """name => new Promise((resolve) => {
      const canvas = document.getElementById("preview");
      const tiles = [...document.querySelectorAll(".tile")];
      const tile = tiles.find((one) => one.querySelector(".name").textContent === name);
      const started = performance.now();
      new MutationObserver((_, observer) => {
        if (canvas.dataset.look !== name) return;
        observer.disconnect();
        requestAnimationFrame(() => resolve(performance.now() - started));
      }).observe(canvas, { attributes: true });
      tile.click();
    })"""
    latency_ms = float(page.evaluate(script, name))
    page.wait_for_timeout(150 + 37 * (index % 5))
    return latency_ms


@contextlib.contextmanager
def _open_page(page: Any, program: _Program) -> Iterator[None]:
    page.goto(program.link)
    page.wait_for_selector("#preview[data-pictures]", timeout=60_000)
    _wait_for_tiles(page)
    yield
    page.goto("about:blank")


@contextlib.contextmanager
def _pulling(program: _Program) -> Iterator[None]:
    """Pull the preview in a process of its own, as a page does, without drawing it."""
    code = (
        "import sys\nfrom websockets.sync.client import connect\n"
        "port, token = sys.argv[1:]\n"
        "with connect(f'ws://127.0.0.1:{port}/ws/preview', origin=f'http://127.0.0.1:{port}', proxy=None,\n"
        "             subprotocols=['veneer.v1', 'veneer.token.' + token]) as socket:\n"
        "    print('open', flush=True)\n"
        "    while True:\n        socket.send('next')\n        socket.recv()\n"
    )
    command = [sys.executable, "-c", code, str(program.port), program.token]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def _speed(program: _Program, seconds: float) -> tuple[float, float]:
    """Return frames per second, and the processor time of the program for a frame, which other programs change less."""
    import psutil

    process = psutil.Process(program.pid)
    time.sleep(0.5)
    before, started_s, used_s = program.frames_out(), time.monotonic(), sum(process.cpu_times()[:2])
    time.sleep(seconds)
    frames = max(1, program.frames_out() - before)
    return frames / (time.monotonic() - started_s), (sum(process.cpu_times()[:2]) - used_s) / frames


if __name__ == "__main__":
    typer.run(main)
