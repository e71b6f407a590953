"""Rules for overwriting: shipped and finished styles are replaced only if an option says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import OptionsError, os_errors
from engines.style_lookup import WEIGHT_SUFFIXES, shipped_names
from engines.training.checkpoints.resume import CHECKPOINT


@dataclass(frozen=True, slots=True)
class Overwriting:
    """The options about earlier results.

    Attributes:
        resume: Continue the training whose checkpoints are there.
        again: Start over: checkpoints are deleted, and a finished style is written over at the end.
        replace: Write a style that has the name of a shipped one.
    """

    resume: bool = False
    again: bool = False
    replace: bool = False

    def check(self, name: str, out: Path, works: Iterable[Path]) -> None:
        """Raise an OptionsError if a training of this name would write over something without permission.

        Args:
            out: Folder of the style.
            works: Folders that hold its checkpoints.
        """
        if self.resume and self.again:
            raise OptionsError("--resume and --again", "one continues and one starts over", "give one of them")
        if name in shipped_names() and not self.replace:
            do = "choose another name, or add --replace to use yours instead of the shipped one"
            raise OptionsError(f"style {name!r}", "a shipped style has this name", do)
        if self.resume or self.again:
            return
        checkpoints = [(work / CHECKPOINT, "an earlier training", "continue it with --resume") for work in works]
        files = (out / f"{name}{suffix}" for suffix in (".json", *WEIGHT_SUFFIXES))
        finished = ((file, "a finished style", "choose another name") for file in files)
        for found, what, do in (*checkpoints, *finished):
            if found.exists():
                do += ", or start over with --again, which overwrites it"
                raise OptionsError(f"training of {name!r}", f"{found} holds {what}", do)

    def discard(self, works: Iterable[Path]) -> None:
        """Delete the checkpoints of an earlier training if the training starts over."""
        for work in works if self.again else ():
            with os_errors(f"checkpoint in {work}", "delete it, or name another folder with --work"):
                (work / CHECKPOINT).unlink(missing_ok=True)
