"""The program with its control page, in a process of its own, for the measurements of this package."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PHONE_HOST = "127.0.0.2"  # an address of this machine beside that of the page itself


@dataclass(frozen=True, slots=True)
class PanelProgram:
    """A running program.

    Attributes:
        port: Of the page.
        token: What scripts send.
        pid: Process id.
    """

    port: int
    token: str
    pid: int

    @property
    def link(self) -> str:
        """A link that always works."""
        return f"http://127.0.0.1:{self.port}/#token={self.token}"

    def request(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        """Send one request with the token."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    def speed(self, seconds: float) -> tuple[float, float]:
        """Return frames per second, and the program's processor time for a frame, which other programs change less."""
        import psutil

        process = psutil.Process(self.pid)
        before, started_s, used_s = self._frames_out(), time.monotonic(), sum(process.cpu_times()[:2])
        time.sleep(seconds)
        frames = max(1, self._frames_out() - before)
        return frames / (time.monotonic() - started_s), (sum(process.cpu_times()[:2]) - used_s) / frames

    def _frames_out(self) -> int:
        return int(str(self.request("/api/report")["frames_out"]))


@contextlib.contextmanager
def panel_program(home: Path, look: str, *, paced: bool, phone: bool = False) -> Iterator[PanelProgram]:
    """Run the program on the demo until the block ends.

    Args:
        home: An empty folder for its settings.
        look: Name of the look.
        paced: At 30 frames a second, as `veneer` without a command runs; False: as fast as it can.
        phone: Also serve the page of a phone at `PHONE_HOST`.
    """
    options = {"source": "demo", "look": look, "panel-port": 0, "build": False, "sink": ["null"]}
    options |= {"panel-host": PHONE_HOST} if phone else {}
    settings = home / "config" / "settings.toml"
    settings.parent.mkdir()
    settings.write_text("[run]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items()))
    command = [sys.executable, "-m", "live", *([] if paced else ["run", "--panel"]), "--no-browser"]
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
            yield PanelProgram(port, (home / "config" / "panel-token").read_text().strip(), process.pid)
        finally:
            process.terminate()
