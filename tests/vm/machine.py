"""The virtual machine: booted once, runs scenarios one after the other, powered off."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from vm.image import EXCHANGE_DIR, EXCHANGE_TAG, ROOT_TAG, write_initramfs
from vm.kernel import Kernel

REPOSITORY = Path(__file__).resolve().parents[2]
BOOT_S = 180.0
_POLL_S = 0.1


class GuestError(AssertionError):
    """The machine did not boot, or a scenario failed; the message contains the guest's output."""


class _PanicError(GuestError):
    """The guest's kernel has stopped."""


class Machine:
    """One guest on the host's root file system, mounted read-only.

    A shared folder holds requests (`request-N.json`) and answers (`answer-N.json`, and pictures).

    Args:
        kernel: The kernel to boot.
        folder: An empty folder for the initramfs, the shared folder and the console log.
    """

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        self.exchange, self.console = folder / "exchange", folder / "console.log"
        self._kernel, self._folder = kernel, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._requests = 0
        self.took_s: dict[str, float] = {}
        self.ran_s: dict[str, float] = {}  # CPU seconds of each scenario
        self.waited: dict[str, float] = {}  # share of each scenario in which no host CPU was available
        self.paused_s: dict[str, float] = {}  # longest pause of the whole host in each scenario
        self._longest_poll_s = 0.0
        self.panics: list[str] = []  # scenarios in which the guest's kernel stopped

    def boot(self) -> None:
        """Start the machine and wait until it accepts requests.

        Raises:
            GuestError: It does not boot.
        """
        self.exchange.mkdir(parents=True)
        archive = self._folder / "initramfs.cpio"
        write_initramfs(self._kernel, archive, work_dir=self._folder / "initramfs")
        self._write_start()
        self._start(archive)

    def _start(self, archive: Path) -> None:
        started_s = time.monotonic()
        with self.console.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(archive), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._await(self.exchange / "ready", BOOT_S, "it does not boot")
        except GuestError:
            self.close()
            raise
        self.took_s["boot"] = time.monotonic() - started_s

    def run(self, scenario: str, *, timeout_s: float, **arguments: Any) -> dict[str, Any]:
        """Run one scenario (a function of `vm.guest.scenarios`) and return its result.

        After a kernel panic, which emulation of two processors and the loopback module cause now and then, the machine
        is started again, once, and the scenario repeated.

        Raises:
            GuestError: It failed in the guest, exceeded the timeout, or the kernel panicked for the second time.
        """
        try:
            return self._run(scenario, timeout_s, arguments)
        except _PanicError:
            self.panics.append(scenario)
            if len(self.panics) > 1:
                raise
        self.close()
        for pattern in ("ready", "stop", "request*", "answer*"):
            for left in self.exchange.glob(pattern):
                left.unlink()
        self._requests = 0
        self._start(self._folder / "initramfs.cpio")
        return self._run(scenario, timeout_s, arguments)

    def _run(self, scenario: str, timeout_s: float, arguments: dict[str, Any]) -> dict[str, Any]:
        number, self._requests = self._requests, self._requests + 1
        request = {"scenario": scenario, "arguments": arguments}
        part = self.exchange / "request.part"
        part.write_text(json.dumps(request))
        started_s, before, self._longest_poll_s = time.monotonic(), self._scheduled_s(), 0.0
        part.replace(self.exchange / f"request-{number}.json")
        self._await(self.exchange / f"answer-{number}.json", timeout_s, f"scenario {scenario} does not end")
        self.took_s[scenario] = time.monotonic() - started_s
        self.paused_s[scenario] = max(0.0, self._longest_poll_s - 2 * _POLL_S)
        ran_s, waited_s = (now - then for now, then in zip(self._scheduled_s(), before, strict=True))
        self.ran_s[scenario] = ran_s
        self.waited[scenario] = waited_s / max(1e-6, ran_s + waited_s)
        answer: dict[str, Any] = json.loads((self.exchange / f"answer-{number}.json").read_text())
        if "failed" in answer:
            raise GuestError(f"scenario {scenario} failed in the guest:\n{answer['failed']}")
        return dict(answer["result"])

    def cpu_s(self) -> float:
        """Return the CPU seconds that the machine has used."""
        return self._scheduled_s()[0]

    def _scheduled_s(self) -> tuple[float, float]:
        """Return how long its threads have run, and how long they have waited for a CPU, in seconds."""
        assert self._process is not None
        total_ns = [0, 0]
        with contextlib.suppress(OSError):  # it has stopped
            for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
                with contextlib.suppress(OSError, ValueError):  # ended, or no statistics
                    ran, waited = (thread / "schedstat").read_text().split()[:2]
                    total_ns = [total_ns[0] + int(ran), total_ns[1] + int(waited)]
        return total_ns[0] / 1e9, total_ns[1] / 1e9

    def close(self) -> None:
        """Power off the machine."""
        process, self._process = self._process, None
        if process is None:
            return
        (self.exchange / "stop").touch()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write_start(self) -> None:
        """Write the script that the guest runs, with the Python and the source tree of the host."""
        python = shlex.quote(sys.executable)
        path = shlex.quote(f"{REPOSITORY}:{REPOSITORY / 'tests'}")
        (self.exchange / "start").write_text(
            "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home LC_ALL=C.UTF-8\n"
            f"mkdir -p $HOME /run/veneer\nexport VENEER_HOME=/run/veneer XDG_RUNTIME_DIR=/run PYTHONPATH={path}\n"
            f"export PYTHONDONTWRITEBYTECODE=1\ncd {shlex.quote(str(REPOSITORY))}\n"
            f"exec {python} -m vm.guest.agent {EXCHANGE_DIR}\n"
        )

    def _command(self, archive: Path) -> list[str]:
        """Return the QEMU command; it emulates, because nested virtualisation is often missing or unreliable."""
        return [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "6G",
            "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
            "-kernel", str(self._kernel.image), "-initrd", str(archive),
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off",
            "-fsdev", "local,id=root,path=/,security_model=none,multidevs=remap,readonly=on",
            "-device", f"virtio-9p-pci,fsdev=root,mount_tag={ROOT_TAG}",
            "-fsdev", f"local,id=exchange,path={self.exchange},security_model=none",
            "-device", f"virtio-9p-pci,fsdev=exchange,mount_tag={EXCHANGE_TAG}",
        ]  # fmt: skip

    def _await(self, path: Path, timeout_s: float, failure: str) -> None:
        assert self._process is not None
        polled_s = time.monotonic()
        deadline_s = polled_s + timeout_s
        while not path.exists():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline_s:
                why = "the machine has stopped" if ended else f"{failure} within {timeout_s:.0f} s"
                lines = self._last_lines()
                kind = _PanicError if ended and "Kernel panic" in lines else GuestError
                raise kind(f"{why}; its console ends with:\n{lines}")
            time.sleep(_POLL_S)
            before_s, polled_s = polled_s, time.monotonic()
            self._longest_poll_s = max(self._longest_poll_s, polled_s - before_s)

    def _last_lines(self) -> str:
        text = ""
        with contextlib.suppress(OSError):
            text = self.console.read_text(errors="replace")
        return "\n".join(text.splitlines()[-25:])
