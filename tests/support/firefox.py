"""Debian's Firefox ESR, headless, driven by WebDriver BiDi: the protocol that the browser itself speaks."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli_parts import WITH_TESTS
from websockets.sync.client import ClientConnection, connect

FIREFOX = "/usr/bin/firefox-esr"
START_S = WITHIN_S = 120
# Collected from the first line of every page on.
_WATCH = """() => {
  globalThis.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(
    `${event.violatedDirective}: ${event.blockedURI}`));
}"""


class Tab:
    """One tab.

    Attributes:
        errors: Console messages of the level error, and scripts that failed, so far.
        requests: Addresses of all requests so far.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self._ask("script.addPreloadScript", functionDeclaration=_WATCH)
        self._context = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        self._ask("browsingContext.setViewport", context=self._context, viewport={"width": 1280, "height": 800})

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, collect the events before its answer, and return the answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=WITHIN_S))
            if message.get("id") == self._number:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result
            self._keep(message)

    def _keep(self, message: dict[str, Any]) -> None:
        found = message.get("params", {})
        if message.get("method") == "log.entryAdded" and found["level"] == "error":
            self.errors.append(str(found["text"]))
        if message.get("method") == "network.beforeRequestSent":
            self.requests.append(found["request"]["url"])

    def open(self, address: str) -> None:
        """Load a page."""
        self._ask("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def script(self, expression: str) -> Any:
        """Return the value of an expression: a text, a number, true or false."""
        answer = self._ask(
            "script.evaluate", expression=expression, target={"context": self._context}, awaitPromise=True
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline_s = time.monotonic() + WITHIN_S
        while self.script(f"Boolean({expression})") is not True:
            assert time.monotonic() < deadline_s, expression
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        place = self.script(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            " one.scrollIntoView({ block: 'center' });"
            " const box = one.getBoundingClientRect();"
            " return `${box.x + box.width / 2} ${box.y + box.height / 2}`; })()"
        )
        x, y = (round(float(part)) for part in place.split())
        move = {"type": "pointerMove", "x": x, "y": y}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._ask(
            "input.performActions",
            context=self._context,
            actions=[{"type": "pointer", "id": "mouse", "actions": [move, *press]}],
        )


@contextlib.contextmanager
def firefox(profile: Path) -> Iterator[Tab]:
    """Run Firefox until the block ends; skip the test where it is missing."""
    if not Path(FIREFOX).exists():
        pytest.skip(f"{FIREFOX} is not installed: apt-get install firefox-esr")
    profile.mkdir()
    (profile / "user.js").write_text('user_pref("network.proxy.type", 0);\n')
    command = [*WITH_TESTS, FIREFOX, "--headless", "--no-remote", "--profile", str(profile)]
    command += ["--remote-debugging-port", "0", "about:blank"]
    log = profile / "firefox.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            with connect(f"{_address(log)}/session", proxy=None, max_size=None, open_timeout=START_S) as socket:
                yield Tab(socket)
        finally:
            process.kill()


def _address(log: Path) -> str:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    pytest.fail(f"Firefox does not start: {log.read_text(errors='replace')[-500:]}")
