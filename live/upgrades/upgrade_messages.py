"""Messages about engine upgrades: one line per style, although it may run at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from engines.build.build_orders import BuildOrder
from engines.build.failed_builds import FailedBuild
from engines.styles import Style

_STEPS = {  # a builder's name of a step -> text for the user
    "set": "collecting pictures",
    "quantise": "quantising",
    "judge": "comparing with FP32",
    "build": "building",
    "check": "comparing with FP32",
    "done": "testing",
}


@dataclass
class UpgradeMessages:
    """Collects the results for one style until all of its engines were tried.

    Args:
        say: receives one-line messages for the user.
    """

    say: Callable[[str], None]
    _pending: list[tuple[Style, str, Callable[[], bool]]] = field(default_factory=list)

    def add(self, style: Style, message: str, holds: Callable[[], bool] = lambda: True) -> None:
        """Queue a message.

        Args:
            style: the style it is about, at the size it is about.
            message: "{style}" stands for the style's name.
            holds: called by `flush`; the message is dropped if it is no longer true.
        """
        self._pending.append((style, message, holds))

    def flush(self, styles_in_use: Iterable[Style]) -> None:
        """Show the queued messages. Sizes are named only if the message is not about all sizes of the style in use."""
        sizes_of: dict[tuple[str, str], dict[tuple[int, int], None]] = {}
        pending, self._pending = self._pending, []
        for style, message, holds in pending:
            if holds():
                sizes_of.setdefault((message, style.name), {})[style.size_wh] = None
        in_use = {(style.name, style.size_wh) for style in styles_in_use}
        for (message, name), sizes in sizes_of.items():
            others = {size_wh for used_name, size_wh in in_use if used_name == name} - sizes.keys()
            text = f"{name} {', '.join('{}x{}'.format(*size_wh) for size_wh in sizes)}" if others else name
            self.say(message.replace("{style}", text, 1))


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
