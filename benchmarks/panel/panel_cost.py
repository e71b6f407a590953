"""What the control page costs the stream, and how fast it answers: `python -m benchmarks.panel.panel_cost`.

The program runs on the demo at 30 frames a second, as in use, or with `--full` as fast as it can, when it takes all
processors. The page is loaded in a new process of the browser, which is what a user waits for, and again in the same
one; then looks are clicked. Then in turns no page is open, a client pulls the preview, and the page is open in
Chromium, which decodes and draws on the same processor. Chromium draws without a graphics card as it does for a user:
Playwright's emulation of one is switched off. Needs `[panel]`, Playwright and Chromium.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.panel.panel_program import PanelProgram, panel_program

_CHROMIUM = "/usr/bin/chromium"
_LOOKS = ("matte-red", "nude-satin")  # lipsticks: their first picture differs


def main(
    full: Annotated[bool, typer.Option("--full", help="Run as fast as possible.")] = False,
    look: Annotated[str, typer.Option(help="Name of the look.")] = "glaze",
    turns: Annotated[int, typer.Option(help="Number of turns.")] = 4,
    seconds: Annotated[float, typer.Option(help="Length of each part of a turn.")] = 4.0,
    loads: Annotated[int, typer.Option(help="Number of loads of each kind whose first paint is measured.")] = 10,
    clicks: Annotated[int, typer.Option(help="Number of clicks whose latency is measured.")] = 40,
) -> None:
    """Print first paint and latency of a click, then frames per second of each part and their ratios."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox"], ignore_default_args=["--enable-unsafe-swiftshader"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        with tempfile.TemporaryDirectory() as home, panel_program(Path(home), look, paced=not full) as program:
            _report_speed_of_page(page, program, loads, clicks)
            page.goto("about:blank")
            _report_cost(page, program, turns, seconds)
        browser.close()


def _report_speed_of_page(page: Any, program: PanelProgram, loads: int, clicks: int) -> None:
    _first_paint(page, lambda: page.goto(program.link))  # the first one also starts the painting of the tiles
    _wait_for_tiles(page)
    paints: dict[str, list[float]] = {"new process": [], "same process": []}
    for _ in range(loads):
        page.goto("about:blank")
        page.wait_for_timeout(1000)  # Chromium ends the old process
        paints["new process"].append(_first_paint(page, lambda: page.goto(program.link)))
        paints["same process"].append(_first_paint(page, page.reload))
    for kind, found in paints.items():
        print(f"first paint, {kind}: median {statistics.median(found):.0f} ms, at most {max(found):.0f} ms")
    latency = sorted(_click_latency(page, index) for index in range(clicks))
    p50, p95 = latency[clicks // 2], latency[int(clicks * 0.95)]
    print(f"click to changed picture: p50 {p50:.0f} ms, p95 {p95:.0f} ms, at most {latency[-1]:.0f} ms")


def _first_paint(page: Any, load: Callable[[], object]) -> float:
    """Load the page and return the time to its first contentful paint in ms."""
    load()
    page.wait_for_selector("#connection[data-state=connected]", timeout=60_000)
    script = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
    while (paint := float(page.evaluate(script))) < 0:
        time.sleep(0.05)
    return paint


def _wait_for_tiles(page: Any) -> None:
    page.wait_for_selector("#preview[data-pictures]", timeout=60_000)
    page.wait_for_selector("#tile-note", state="hidden", timeout=300_000)


def _click_latency(page: Any, index: int) -> float:
    """Click one of two lipsticks and return the ms until the preview has drawn a picture that was painted with it.

    The demo's person leaves the picture for 1.4 of 12 s. The click is made while a face is painted: without one, no
    lipstick changes the picture.
    """
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
    if index:
        page.wait_for_selector(f"#preview[data-look={_LOOKS[(index - 1) % 2]}]", timeout=60_000)
    latency_ms = float(page.evaluate(script, _LOOKS[index % 2]))
    page.wait_for_timeout(150 + 37 * (index % 5))
    return latency_ms


def _report_cost(page: Any, program: PanelProgram, turns: int, seconds: float) -> None:
    parts: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
        "no page": contextlib.nullcontext,
        "preview": lambda: _pulling(program),
        "Chromium": lambda: _open_page(page, program),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    for _ in range(turns):
        for name, part in parts.items():
            with part():
                time.sleep(0.5)
                found[name].append(program.speed(seconds))
    for name, turns_of_part in found.items():
        pairs = list(zip(turns_of_part, found["no page"], strict=True))
        rate, cost = (statistics.median(one[index] / base[index] for one, base in pairs) for index in (0, 1))
        median = statistics.median(one[0] for one in turns_of_part)
        print(f"{name}: {median:.1f} fps, {rate:.3f} of no page; processor time a frame {cost:.3f} of no page")


@contextlib.contextmanager
def _open_page(page: Any, program: PanelProgram) -> Iterator[None]:
    page.goto(program.link)
    _wait_for_tiles(page)
    yield
    page.goto("about:blank")


@contextlib.contextmanager
def _pulling(program: PanelProgram) -> Iterator[None]:
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


if __name__ == "__main__":
    typer.run(main)
