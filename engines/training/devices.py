"""The device of a training process, and requests to stop it."""

from __future__ import annotations

import datetime
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from engines.errors import OptionsError
from engines.text import first_line

_BARRIER_TIMEOUT = datetime.timedelta(days=2)  # the first process may draw thousands of pairs for hours


def usual_precision() -> str:
    """Return bf16-mixed if this machine has BF16, else 32-true: emulated, BF16 is several times slower than FP32."""
    native = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if native else "32-true"


def make_fabric(precision: str, accelerator: str = "auto", *, nodes: int | None = None) -> Fabric:
    """Launch Fabric on the best device, or on all those of `torchrun`.

    Args:
        precision: In Fabric's notation.
        accelerator: In Fabric's notation.
        nodes: Number of machines that `torchrun` must have; None for any.

    Raises:
        OptionsError: The device does not have that precision, or the number of machines is another.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the command prints the precision itself
    world = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    found = max(1, int(os.environ.get("WORLD_SIZE", "1")) // world)
    if nodes not in (None, found):
        do = f"start it on each with torchrun --nnodes {nodes} ... -m live train, or add --cluster"
        raise OptionsError(f"--nodes {nodes}", f"this training has {found}", do)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a precision that the device lacks, which is refused below
            fabric = Fabric(
                accelerator=accelerator, devices=world, num_nodes=found, precision=precision,  # type: ignore[arg-type]
                strategy=DDPStrategy(timeout=_BARRIER_TIMEOUT) if world * found > 1 else "auto",
            )  # fmt: skip
    except (ValueError, RuntimeError) as error:
        do = "use --precision 32-true or bf16-mixed"
        raise OptionsError(f"training in {precision}", first_line(error), do) from error
    if precision_of(fabric) != precision:  # 16-mixed on a processor
        got = f"this device trains in {precision_of(fabric)} instead"
        raise OptionsError(f"--precision {precision}", got, f"use --precision {precision_of(fabric)}")
    fabric.launch()
    return fabric


def precision_of(fabric: Fabric) -> str:
    """Return the precision that Fabric was made with, in Fabric's own notation."""
    return str(fabric._precision.precision)


@contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets, so that a step is completed. A second Ctrl-C raises at once."""
    requested = threading.Event()

    def request(_number: int, _frame: FrameType | None) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()

    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
