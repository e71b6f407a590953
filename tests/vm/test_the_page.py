"""The control page beside the real virtual camera: both in the guest, the browser on the host.

After the tests that judge times: the program goes on painting the tiles of its looks, until the next file stops it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.panel_parts import chromium
from vm.guest.launch import SECOND_LOOK
from vm.judging import REPORT
from vm.machine import Machine
from vm.relay import HostEnd

pytestmark = pytest.mark.vm
TIMEOUT_S = 900


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium on the host."""
    with chromium() as started:
        yield started


def await_file(path: Path, scenario: Future[Any]) -> Path:
    """Wait for a file from the guest; the scenario's error ends the wait."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not path.exists():
        if scenario.done():
            scenario.result()
            pytest.fail(f"the scenario ended without {path.name}")
        assert time.monotonic() < deadline_s, path.name
        time.sleep(0.1)
    return path


def test_the_page_changes_the_virtual_camera(machine: Machine, browser: Any) -> None:
    """Real: program, page, webcam driver, virtual camera and its reader, in the guest; Chromium, on the host.

    The guest has no network: a relay carries the bytes of each connection through the shared folder to the same port
    of the guest's loopback address, so token, Host and Origin are checked as on one machine. The webcam shows bars
    without a face, so the second look, with the rule "blur" for that, blurs them.
    """
    exchange = machine.exchange
    with ThreadPoolExecutor(1) as pool:
        scenario = pool.submit(machine.run, "panel_beside_camera", timeout_s=TIMEOUT_S)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        try:
            facts = json.loads(await_file(exchange / "panel.json", scenario).read_text())
            relay = HostEnd(facts["port"], exchange)
            page.goto(facts["link"])
            page.wait_for_selector("#preview[data-look=none]", timeout=120_000)
            page.click("#tab-setup")
            page.wait_for_selector("#sinks [aria-checked=true]:has-text('virtual-camera:/dev/video10')")
            page.wait_for_selector("#source-facts:has-text('/dev/video10: ')", timeout=60_000)
            page.click("#tab-looks")
            rows = []
            for number, (click, words) in enumerate(
                (
                    ("", "BARE"),
                    (f".tile:has-text('{SECOND_LOOK}')", "blurred"),
                    (".tile:has-text('none')", "BARE"),
                    ("#panic", "card: the camera is paused"),
                    ("#panic", "BARE"),
                )
            ):
                if click:
                    page.click(click)
                page.wait_for_selector(f"#viewers:text-is('{words}')", timeout=60_000)
                (exchange / f"shoot-{number}").touch()
                rows.append(np.load(await_file(exchange / f"shot-{number}.npy", scenario))[135].astype(float))
        finally:
            (exchange / "panel-done").touch()
            page.close()
        found = scenario.result()
        relay.close()
    edges = [float(np.abs(np.diff(row, axis=0)).max()) for row in rows]
    bars, blurred, again, paused, back = edges
    assert blurred < 0.3 * min(bars, again, back), f"blurred bars have no edges: {edges}"
    assert rows[3].mean() < 60 < rows[0].mean() and paused < 60, "the card is dark"
    REPORT.append(f"control page: {found['took_s']:.0f} s, {machine.ran_s['panel_beside_camera']:.0f} s of CPU")
