"""`veneer` in the guest, shared by scenarios with the same arguments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

from vm.guest.devices import VIRTUAL
from vm.guest.shell import CAPTURE, OUTPUT, await_true, device_caps

START_S = 900.0  # half a minute on an idle host


class Program:
    """One `veneer` process.

    Args:
        arguments: Arguments of `veneer`; only the named look is prepared.
    """

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        look = arguments[arguments.index("--look") + 1]
        command = [sys.executable, "-m", "vm.guest.launch", look, *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def output(self) -> str:
        """Return all output so far."""
        return os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")

    def await_end(self, timeout_s: float = START_S) -> int:
        """Wait for its end; return the exit status."""
        return self.process.wait(timeout_s)

    def await_sending(self) -> None:
        """Wait until it sends to the virtual camera.

        Raises:
            RuntimeError: It ended; with its output.
        """
        await_true(lambda: self.sends() or self.process.poll() is not None, START_S, f"{self.arguments} sends pictures")
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.arguments} ended with {self.process.returncode}: {self.output()[-2000:]}")

    def sends(self) -> bool:
        """Return whether the virtual camera (with `exclusive_caps`) has a writer."""
        caps = device_caps(VIRTUAL)
        return bool(caps & CAPTURE) and not caps & OUTPUT

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(200)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


_running: Program | None = None


def running(*arguments: str) -> Program:
    """Return a program that sends to the virtual camera with these arguments, reusing a running one."""
    global _running
    if _running is not None and (_running.arguments != arguments or _running.process.poll() is not None):
        stop_all()
    if _running is None:
        _running = Program(*arguments)
        _running.await_sending()
    return _running


def stop_all() -> None:
    """Stop the shared program."""
    global _running
    program, _running = _running, None
    if program is not None:
        program.stop()
