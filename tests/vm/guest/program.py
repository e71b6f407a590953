"""`veneer` in the guest, shared by scenarios with the same arguments."""

from __future__ import annotations

import signal

from vm.guest.devices import VIRTUAL
from vm.guest.forked import Forked
from vm.guest.launch import main as veneer
from vm.guest.shell import CAPTURE, OUTPUT, await_true, device_caps

START_S = 900.0  # a few seconds on an idle host


class Program(Forked):
    """One `veneer` process.

    Args:
        arguments: Arguments of `veneer`; only the named look is prepared.
    """

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        super().__init__(veneer, arguments[arguments.index("--look") + 1], *arguments)

    def await_sending(self) -> None:
        """Wait until it sends to the virtual camera.

        Raises:
            RuntimeError: It ended; with its output.
        """
        await_true(lambda: self.sends() or not self.alive, START_S, f"{self.arguments} sends pictures")
        if not self.alive:
            raise RuntimeError(f"{self.arguments} ended with {self.await_end(0)}: {self.output()[-2000:]}")

    def sends(self) -> bool:
        """Return whether the virtual camera (with `exclusive_caps`) has a writer."""
        caps = device_caps(VIRTUAL)
        return bool(caps & CAPTURE) and not caps & OUTPUT


_running: Program | None = None


def running(*arguments: str) -> Program:
    """Return a program that sends to the virtual camera with these arguments, reusing a running one."""
    global _running
    if _running is not None and (_running.arguments != arguments or not _running.alive):
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
        program.send(signal.SIGTERM)
        program.await_end(200)
