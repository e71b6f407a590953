"""The virtual machine shared by all these tests: booted once, and powered off at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from vm.chart import CHART_FILE, CHART_WH, SMALL_FILE, SMALL_WH, as_yuyv, chart
from vm.judging import REPORT
from vm.kernel import CannotBuildError, missing_tools, ready_kernel
from vm.machine import Machine

COMMAND = "python -m pytest -m vm tests/vm"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the suite, which takes minutes, unless it is requested."""
    if "vm" in str(config.option.markexpr).split():
        return
    for item in items:
        if item.get_closest_marker("vm") is not None:
            item.add_marker(pytest.mark.skip(reason=f"boots a virtual machine for minutes; run: {COMMAND}"))


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted guest with the chart in its shared folder."""
    if missing := missing_tools():
        _skip("; ".join(missing))
    try:
        kernel = ready_kernel()
    except (CannotBuildError, OSError) as error:
        _skip(f"no kernel to boot: {error}")
    machine = Machine(kernel, tmp_path_factory.mktemp("vm"))
    machine.boot()
    try:
        for name, size_wh in ((CHART_FILE, CHART_WH), (SMALL_FILE, SMALL_WH)):
            (machine.exchange / name).write_bytes(as_yuyv(chart(size_wh)))
        yield machine
    finally:
        REPORT.append(f"boot {machine.took_s['boot']:.0f} s, CPU {machine.cpu_s():.0f} s in total")
        REPORT.extend(f"{scenario}: repeated after a panic of the guest's kernel" for scenario in machine.panics)
        for name, waited in machine.waited.items():
            took = f"{name}: {machine.took_s[name]:.0f} s, {machine.ran_s[name]:.0f} s of CPU"
            REPORT.append(f"{took}, {waited:.0%} of the time waiting for a host CPU")
        machine.close()


def _skip(reason: str) -> None:
    """Skip with a reason; fail instead if VENEER_VM=required."""
    (pytest.fail if os.environ.get("VENEER_VM") == "required" else pytest.skip)(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the measured times."""
    if REPORT:
        terminalreporter.section("virtual machine")
        for line in REPORT:
            terminalreporter.line(line)
