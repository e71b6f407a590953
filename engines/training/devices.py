"""The process that trains: its device, and how it is asked to stop."""

from __future__ import annotations

import datetime
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from engines.errors import OptionsError

_WAIT = datetime.timedelta(days=2)  # the others wait while the first one cuts and draws the pairs: hours, for thousands


def usual_precision() -> str:
    """Half precision where this machine's processor or graphics card calculates in it, else single.

    On processors without BF16 it would be imitated, several times slower than FP32.
    """
    able = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if able else "32-true"


def make_fabric(precision: str) -> Fabric:
    """The best device there is; all that `torchrun` started, where it was used."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # "Using bfloat16 ...": the program says it itself
    world = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = max(1, int(os.environ.get("WORLD_SIZE", "1")) // world)
    try:
        fabric = Fabric(
            accelerator="auto", devices=world, num_nodes=nodes, precision=precision,  # type: ignore[arg-type]
            strategy=DDPStrategy(timeout=_WAIT) if world * nodes > 1 else "auto",
        )  # fmt: skip
    except (ValueError, RuntimeError) as error:
        got = str(error).strip().splitlines()[0]
        raise OptionsError(f"training in {precision}", got, "use --precision 32-true or bf16-mixed") from error
    fabric.launch()
    return fabric


def precision_of(fabric: Fabric) -> str:
    """The precision it was made with, as the recipe names it."""
    return str(fabric._precision.precision)


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """Set by Ctrl-C or SIGTERM, so that a step is never cut in half; a second Ctrl-C ends at once."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
