"""The looks that a run offers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from engines.errors import LookError
from engines.looks import Look, find_look, for_people
from engines.looks_file import load_looks
from engines.runtime import autotune_choice
from live.options import LiveOptions


def load_run_looks(options: LiveOptions, say: Callable[[str], None]) -> dict[str, Look]:
    """Load all looks, with the region sizes that `veneer calibrate machine` chose for this machine.

    With `--only` they are restricted to these people, and looks that draw the whole frame are left out.

    Raises:
        LookError: The looks file cannot be used, or the selected look cannot be restricted.
    """
    if stale := autotune_choice.stale_message():
        say(stale)
    looks = {name: autotune_choice.with_chosen_sizes(look) for name, look in load_looks(options.looks_file).items()}
    if not options.only:
        return looks
    people = {options.look: for_people(find_look(looks, options.look), options.only, options.others)}
    for name, look in looks.items():
        with contextlib.suppress(LookError):  # looks that draw the whole frame are not offered
            people[name] = for_people(look, options.only, options.others)
    return {name: people[name] for name in looks if name in people}
