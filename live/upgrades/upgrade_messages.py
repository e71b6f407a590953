"""Messages about engine upgrades."""

from __future__ import annotations

from collections.abc import Iterable

from engines.build.build_orders import BuildOrder
from engines.build.failed_builds import FailedBuild
from engines.styles import Style

_STEPS = {  # a builder's name of a step -> text for the user
    "set": "collecting pictures",
    "quantise": "quantising",
    "evaluate": "comparing with FP32",
    "build": "building",
    "check": "comparing with FP32",
    "done": "testing",
}


def describe_step(step: str) -> str:
    """Return a builder's step as text for the user: "quantise 3/11" becomes "quantising 3/11"."""
    name, _, count = step.partition(" ")
    return f"{_STEPS.get(name, name)} {count}".rstrip()


def skipped_message(failures: Iterable[FailedBuild]) -> str:
    """Return one line about the builds that are skipped because they failed recently."""
    builds: dict[tuple[str, str], dict[str, None]] = {}  # by end of the waiting time, and reason
    for failure in failures:
        key = failure.until, f"{failure.reason} on {failure.date}"
        builds.setdefault(key, {})[f"{failure.label} of {failure.style}"] = None
    texts = (f"{', '.join(names)} before {until}: {reason}" for (until, reason), names in builds.items())
    return f"not built again: {'; '.join(texts)} (veneer engines build tries now)"


def not_built_message(builds: Iterable[tuple[Style, BuildOrder]]) -> str:
    """Return one line about the engines that a run without builds does not build."""
    names = dict.fromkeys(f"{order.label} of {style.name}" for style, order in builds)
    return f"--no-build: these engines could be built and are not: {', '.join(names)}"
