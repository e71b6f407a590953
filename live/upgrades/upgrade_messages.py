"""What is said of better engines: one line for each style, although it may run at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from engines.build.build_orders import BuildOrder
from engines.build.failed_builds import FailedBuild
from engines.styles import Style

_STEPS = {  # what builders call their steps: what a person reads
    "set": "collecting pictures",
    "quantise": "quantising",
    "judge": "comparing with FP32",
    "build": "at work",
    "check": "comparing with FP32",
    "done": "trying it",
}


@dataclass(frozen=True, slots=True)
class _Item:
    """A line, but for which of the style's engines it is about."""

    style: Style
    begin: str
    end: str
    holds: Callable[[], bool]


@dataclass
class UpgradeMessages:
    """Gathers what became of a style's engines, until all of them were tried.

    Args:
        say: takes one line for the person at the terminal.
    """

    say: Callable[[str], None]
    _items: list[_Item] = field(default_factory=list)

    def changed(self, style: Style, *, before: str, now: str, holds: Callable[[], bool]) -> None:
        """Another engine was put in; nothing is said if that does not hold any more when it would be said."""
        self._items.append(_Item(style, "style ", f" runs on {now} from now on, before on {before}", holds))

    def refused(self, style: Style, label: str, *, why: str, stays: str) -> None:
        """A better engine could not be had."""
        self._items.append(_Item(style, f"{label} of ", f" is not used: {why}; {stays} goes on", lambda: True))

    def tell(self, styles_in_use: Iterable[Style]) -> None:
        """Say it. Sizes are named only where it is not about all the sizes at which the style is `styles_in_use`."""
        items, self._items = [item for item in self._items if item.holds()], []
        styles_in_use = tuple(styles_in_use)
        for begin, name, end in dict.fromkeys((item.begin, item.style.name, item.end) for item in items):
            about = [item.style for item in items if (item.begin, item.style.name, item.end) == (begin, name, end)]
            self.say(f"{begin}{_named(about, [style for style in styles_in_use if style.name == name])}{end}")


def _named(about: Sequence[Style], styles_in_use: Collection[Style]) -> str:
    """As in "toon", or "toon 448x256" where it is worn at other sizes too."""
    name, sizes = about[0].name, {style.size_wh: None for style in about}
    if not {style.size_wh for style in styles_in_use} - sizes.keys():
        return name
    return f"{name} {', '.join('{}x{}'.format(*size_wh) for size_wh in sizes)}"


def step_in_words(step: str) -> str:
    """A builder's step as a person reads it: "quantise 3/11" is "quantising 3/11"."""
    word, _, count = step.partition(" ")
    return f"{_STEPS.get(word, word)} {count}".rstrip()


def not_again(failed: Iterable[FailedBuild]) -> str:
    """One line on all that failed not long ago."""
    names: dict[tuple[str, str], dict[str, None]] = {}  # by what is the matter, and until when
    for one in failed:
        names.setdefault((one.until, f"{one.reason} on {one.date}"), {})[f"{one.label} of {one.style}"] = None
    what = (f"{', '.join(whom)} before {until}: {why}" for (until, why), whom in names.items())
    return f"not built again: {'; '.join(what)} (veneer engines build tries now)"


def not_built(left_out: Iterable[tuple[Style, BuildOrder]]) -> str:
    """One line on what a run without builds does without."""
    what = dict.fromkeys(f"{order.label} of {style.name}" for style, order in left_out)
    return f"nothing is built in this run (--no-build), which could have: {', '.join(what)}"
