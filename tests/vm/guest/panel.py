"""The control page of the program in the guest, for a browser on the host; and what the virtual camera shows."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from vm.guest.reader import Reader
from vm.guest.shell import EXCHANGE, LONG_S
from vm.guest.streaming import plain, show_bars
from vm.relay import GuestEnd

from live.control.control_socket import send_command


def panel_beside_camera() -> dict[str, Any]:
    """Attach the page to the running program (`veneer panel`) and carry the host's connections to it until it is done.

    The host finds the link in `panel.json`. For each file `shoot-N` it gets the camera's newest picture, read by
    ffmpeg, in `shot-N.npy`.
    """
    program = plain()
    show_bars()
    started_s = time.monotonic()
    link = send_command(["panel"], pid=program.pid, timeout_s=LONG_S)
    port = urlsplit(link).port
    assert port is not None
    relay = GuestEnd(port, EXCHANGE)
    with Reader() as reader:
        reader.await_pictures(1)
        part = EXCHANGE / "panel.part"
        part.write_text(json.dumps({"link": link, "port": port}))
        part.replace(EXCHANGE / "panel.json")
        shots = 0
        while not (EXCHANGE / "panel-done").exists() and time.monotonic() < started_s + 3 * LONG_S:
            if (EXCHANGE / f"shoot-{shots}").exists():
                reader.await_pictures(10)  # older pictures are still on their way
                part = EXCHANGE / "shot.part"
                with part.open("wb") as file:
                    np.save(file, reader.pictures[-1])
                part.replace(EXCHANGE / f"shot-{shots}.npy")
                shots += 1
            time.sleep(0.05)
    relay.close()
    return {"shots": shots, "took_s": time.monotonic() - started_s, "output": program.output()}
