"""Python programs, started with their modules loaded: importing them takes a minute on an emulated CPU."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
from collections.abc import Callable

_PRELOADED = ["cv2", "live.cli", "live.commands.run_command", "live.diagnostics.doctor", "live.session"]
_PRELOADED += ["pyvirtualcam", "typer.main", "vm.guest.scenarios"]


class Forked:
    """A process that calls a function.

    Args:
        function: A module-level function; what it raises or passes to `sys.exit` gives the exit status.
    """

    def __init__(self, function: Callable[..., None], *arguments: str) -> None:
        self._output = tempfile.NamedTemporaryFile()  # noqa: SIM115 - as long as the process
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self._process = context.Process(target=_with_output, args=(self._output.name, function, *arguments))
        self._process.start()

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.is_alive()

    def send(self, signal_number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal_number)

    def await_end(self, timeout_s: float) -> int:
        """Wait for its end; return the exit status.

        Raises:
            TimeoutError: It still runs.
        """
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"it does not end within {timeout_s:.0f} s: {self.output()}")
        return self._process.exitcode

    def output(self) -> str:
        """Return all output so far."""
        return os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")


def _with_output(output: str, function: Callable[..., None], *arguments: str) -> None:
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_APPEND)
    for target, source in ((0, nothing), (1, written), (2, written)):
        os.dup2(source, target)
    function(*arguments)
