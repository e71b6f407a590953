"""The program itself in the guest: started as a user starts it, shared by scenarios that want it the same way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

from vm.guest.devices import VIRTUAL
from vm.guest.shell import CAPTURE, OUTPUT, await_true, device_caps

START_S = 900.0  # on a machine that has nothing else to do it takes half a minute


class Program:
    """One `veneer` process.

    Args:
        words: what follows `veneer` on the command line; only the look that is named there is made ready.
    """

    def __init__(self, *words: str) -> None:
        self.words = words
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        look = words[words.index("--look") + 1]
        command = [sys.executable, "-m", "vm.guest.launch", look, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._said, stderr=subprocess.STDOUT)

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def said(self) -> str:
        """Everything that it printed so far."""
        return os.pread(self._said.fileno(), 1 << 20, 0).decode(errors="replace")

    def await_end(self, timeout_s: float = START_S) -> int:
        """Its exit status, once it has ended by itself."""
        return self.process.wait(timeout_s)

    def await_sending(self) -> None:
        """Wait until pictures go into the virtual camera.

        Raises:
            RuntimeError: it ended instead; with what it said.
        """
        await_true(lambda: self.sends() or self.process.poll() is not None, START_S, f"{self.words} sends pictures")
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.words} ended with {self.process.returncode}: {self.said()[-2000:]}")

    def sends(self) -> bool:
        """Whether the virtual camera (with `exclusive_caps`) has a writer."""
        caps = device_caps(VIRTUAL)
        return bool(caps & CAPTURE) and not caps & OUTPUT

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(200)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


_running: Program | None = None


def running(*words: str) -> Program:
    """A program that sends to the virtual camera with these words; the one that runs so already, if there is one."""
    global _running
    if _running is not None and (_running.words != words or _running.process.poll() is not None):
        stop_all()
    if _running is None:
        _running = Program(*words)
        _running.await_sending()
    return _running


def stop_all() -> None:
    """End the shared program."""
    global _running
    program, _running = _running, None
    if program is not None:
        program.stop()
