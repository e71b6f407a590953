"""How fast the whole program is: `python -m benchmarks.fps`.

Source, tracker, generators and compositor at full speed into nothing, as the same pipeline that runs live: the demo
portrait, or four portraits. Burn-in first; frames per second are counted over intervals; latency runs from the moment
a picture is complete in memory to the sink's return. The tracker alone, on the same frames in the same process, before
and after, is the yardstick: machines differ, the ratio to it does not much. Then the same as a camera of 30 frames a
second feeds it, where a frame that is late is dropped.

Without arguments: every look at 1280x720 with one face on the engines that the program takes by itself; a look of each
kind at all sizes with one face and four; and the same looks in every runtime and precision of this machine. That takes
about ten minutes on two cores. --all measures all of all looks. Naming looks, sizes, faces, runtimes or precisions
measures just these, for longer, and takes for the others what is usual. Each configuration has a process of its own.
Writes a JSON file after each of them, and a picture at the end.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.common.machine_info import header, machine
from benchmarks.fps_matrix import plot, tables
from benchmarks.fps_matrix.fps_options import Asked, asked_of
from benchmarks.fps_matrix.gpu_watch import why_no_gpu
from benchmarks.fps_matrix.plan import planned
from benchmarks.fps_matrix.process_bench import Bench, cold_start_s
from engines.build.cpu_contention import contention_warning
from engines.errors import OptionsError, VeneerError
from engines.looks import load_looks
from engines.runtime.torch.cuda_device import driver_device
from engines.text import first_line

_FAILED, _WRONG, _ENDED = 1, 2, 130
_MORE_LIBRARIES = ("nncf", "torch-tensorrt", "torch-tensorrt-rtx")
_TENSORRT = ("tensorrt", "tensorrt-rtx")


def write_json(path: Path, found: dict[str, Any]) -> None:
    """Write aside and rename: whoever reads meanwhile reads the whole of before, or the whole of now.

    Raises:
        OptionsError: the disk does not take it.
    """
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise OptionsError(f"--json {path}", error.strerror or str(error), "make room, or name another") from error


def surroundings() -> dict[str, Any]:
    """The machine with its GPU and the libraries that bring further engines."""
    about = machine()
    for name in _MORE_LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            about["versions"][name] = metadata.version(name)
    why = why_no_gpu()
    found = {} if why else _nvidia()
    return {
        **about,
        "gpu": None if why else driver_device().name,
        "no_gpu": why,
        **found,
        "contention_warning": contention_warning(),
    }


def _nvidia() -> dict[str, Any]:
    """What an NVIDIA GPU is run by: the versions of its driver, of CUDA, and of TensorRT where that is installed."""
    import torch  # not where there is no GPU

    device = driver_device()
    tensorrt = {}
    for name in _TENSORRT:
        with contextlib.suppress(metadata.PackageNotFoundError):
            tensorrt[name] = metadata.version(name)
    cuda = "{}.{}".format(*device.cuda)
    return {"driver": device.driver, "driver_cuda": cuda, "torch_cuda": torch.version.cuda, "tensorrt": tensorrt}


def head(about: dict[str, Any]) -> list[str]:
    """The lines above the tables."""
    found = about["versions"]
    more = ", ".join(f"{name} {found[name]}" for name in _MORE_LIBRARIES if name in found)
    lines = [f"{header(about)}{', ' if more else ''}{more}"]
    lines.append(_gpu_line(about) if about["gpu"] else f"no GPU: {about['no_gpu']}")
    return [*lines, about["contention_warning"]] if about["contention_warning"] else lines


def _gpu_line(about: dict[str, Any]) -> str:
    """As in "GPU: NVIDIA H100, driver 580.95.05 (CUDA 13.0), PyTorch for CUDA 13.0, TensorRT 10.14"; what is not known
    is left out.
    """
    driver = f"driver {about['driver']}" if about["driver"] else "its driver"
    parts = [f"GPU: {about['gpu']}", f"{driver} (CUDA {about['driver_cuda']})"]
    parts += [f"PyTorch for CUDA {about['torch_cuda']}"] if about["torch_cuda"] else []
    parts += [f"{'TensorRT-RTX' if 'rtx' in name else 'TensorRT'} {found}" for name, found in about["tensorrt"].items()]
    return ", ".join(parts)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def bench(asked: Asked) -> int:
    """Measure, print tables, write the files; the exit code.

    Raises:
        VeneerError: nothing can be measured, or the results cannot be kept.
    """
    looks = load_looks()
    cases, about = planned(asked.wish, looks), surroundings()
    print(*head(about), sep="\n", flush=True)
    found: dict[str, Any] = {"machine": about, "extent": asdict(asked.extent)}

    def keep(known: Bench) -> None:
        write_json(asked.json_path, {**found, "runs": known.runs, "not_measured": known.left_out})

    measuring, code = Bench(looks, asked.extent, keep=keep, say=_say), 0
    try:
        measuring.measure(cases)
        if asked.start:
            found["cold_start_s"] = _cold_start((*asked.wish.looks, "glaze")[0])
    except KeyboardInterrupt:
        code = _ENDED
        _say(f"ended; {len(measuring.runs)} of {len(cases)} were measured")
    show(measuring)
    keep(measuring)
    print(f"written: {', '.join([str(asked.json_path), *_drawn(measuring, asked.plot_path, head(about))])}")
    failed = any(one["outcome"] == "failed" for one in measuring.left_out)
    return code or (_FAILED if failed or not measuring.runs else 0)


def _cold_start(look: str) -> dict[str, float]:
    found = {name: round(cold_start_s(look, cached=name == "cached"), 2) for name in ("first_ever", "cached")}
    print(f"new process to one finished {look} frame and exit: {found}")
    return found


def show(found: Bench) -> None:
    """Print what was found."""
    if found.runs:
        print(tables.rates(found.runs), tables.LEGEND, sep="\n")
        print(tables.stages(found.runs), tables.STAGES_LEGEND, sep="\n")
    for line in (*tables.notes(found.runs), *tables.missing(found.left_out)):
        print(line)


def _drawn(found: Bench, path: Path, about: Sequence[str]) -> list[str]:
    """The name of the picture, if there is one."""
    try:
        if found.runs:
            plot.draw(path, found.runs, about)
    except (ImportError, OSError) as error:
        print(f"no picture: {first_line(error)}")
        return []
    return [str(path)] if found.runs else []


def command(arguments: Sequence[str]) -> int:
    """The command with these words; the exit code."""
    try:
        return bench(asked_of(arguments, __doc__ or ""))
    except VeneerError as error:
        sys.stderr.write(f"fps: {error}\n")
        return _WRONG


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was measured is shown, and the child is ended
    sys.exit(command(sys.argv[1:]))
