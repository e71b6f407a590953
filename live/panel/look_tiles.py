"""The tiles of the page: every look on a snapshot of the wearer, or on the built-in portrait before the first one.

The snapshot and the tiles are in memory only.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from engines.errors import OptionsError
from engines.runtime.child_process import module_command
from live.panel.tile_process import read_tile
from live.pipeline.frame import Frame, ImageU8

_SNAPSHOT_TIMEOUT_S = 3.0
_STOP_TIMEOUT_S = 1.0


class LookTiles:
    """Starts one process at a time that paints tiles.

    Args:
        looks_file: That of the run; None for the user's own.
        names: Returns the names of all looks in order.
        tables: Returns the tables of looks that differ from their file.
    """

    def __init__(
        self, looks_file: str | None, names: Callable[[], Sequence[str]], tables: Callable[[], dict[str, Any]]
    ) -> None:
        self._looks_file, self._names, self._tables = looks_file, names, tables
        self._lock = threading.Lock()
        self._tiles: dict[str, tuple[int, bytes]] = {}  # by look: version and JPEG
        self._version = 0
        self._face: ImageU8 | None = None
        self._wanted = threading.Event()  # the next captured frame is the snapshot
        self._taken = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self.painting = False
        self.problem = ""

    def version(self, name: str) -> int:
        """Return the number of the look's tile, which changes with its picture; 0 if there is none."""
        return self._tiles.get(name, (0, b""))[0]

    def jpeg(self, name: str) -> bytes | None:
        """Return the tile of a look."""
        tile = self._tiles.get(name)
        return tile[1] if tile else None

    def offer(self, frame: Frame) -> None:
        """Take the captured frame as the snapshot if one is wanted; called in the rendering thread."""
        if self._wanted.is_set():
            self._face = frame.bgr.copy()
            self._wanted.clear()
            self._taken.set()

    def take_face(self, _argument: str) -> str:
        """Take the next captured frame as the face of all tiles. Raises OptionsError if none comes."""
        if _argument == "off":
            self._face = None
            self.paint()
            return "face: the built-in portrait"
        self._taken.clear()
        self._wanted.set()
        if not self._taken.wait(_SNAPSHOT_TIMEOUT_S):
            self._wanted.clear()
            raise OptionsError("command 'face'", "no frame came from the camera", "wait for the camera, then try again")
        self.paint()
        return "face: the tiles are being painted on it"

    def start(self) -> None:
        """Paint the first tiles, once."""
        if not self._tiles and not self.painting:
            self.paint()

    def paint(self, names: Sequence[str] | None = None) -> None:
        """Paint all tiles anew, or those of some looks, in the background; a run that is under way is ended."""
        with self._lock:
            if self._closed:
                return
            self._version += 1
            self._end_process()
            self.painting, self.problem = True, ""
            arguments = (self._version, self._face, list(names or self._names()))
            threading.Thread(target=self._paint, args=arguments, name="look tiles", daemon=True).start()

    def close(self) -> None:
        """End the process; idempotent."""
        with self._lock:
            self._closed = True
            self._end_process()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _paint(self, version: int, face: ImageU8 | None, names: list[str]) -> None:
        size = None if face is None else [face.shape[1], face.shape[0]]
        order = {"looks_file": self._looks_file, "names": names, "tables": self._tables(), "size": size}
        data = json.dumps(order).encode() + b"\n" + (b"" if face is None else face.tobytes())
        with self._lock:
            if version != self._version or self._closed:
                return
            self._process = process = _start()
        painted = 0
        with process, contextlib.suppress(OSError):
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(data)
            process.stdin.close()
            while (tile := read_tile(process.stdout)) is not None:
                name, jpeg = tile
                if jpeg and version == self._version:
                    self._tiles[name] = (version, jpeg)
                    painted += 1
        with self._lock:
            if version == self._version:
                self.painting, self._process = False, None
                if not painted and face is not None:
                    self.problem = "no face was found on the snapshot: look at the camera and try again"


def _start() -> subprocess.Popen[bytes]:
    flags = getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)  # of Windows
    return subprocess.Popen(
        module_command("live.panel.tile_process"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        creationflags=flags,
    )
