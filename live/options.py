"""The options of a run: the command line over the settings file, read once into one frozen, checked value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engines import paths, toml
from engines.errors import OptionsError
from engines.runtime.selector import RUNTIMES
from engines.untrusted_files import shown

_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """One run.

    Attributes:
        source: "demo", a camera number, a device or a file.
        look: name of the look to start with.
        sinks: "virtual-camera[:DEVICE]", "window", "file:PATH", "null".
        size_wh: asked of the camera and the demo; files keep their own.
        fps: asked of the camera and the demo, and the pace of the virtual camera.
        max_faces: 1-4.
        strength: 0..1 on top of the look's own strengths.
        mirror: start mirrored.
        frames: stop after so many.
        report: where the report goes.
        runtime: one of `RUNTIMES`.
        global_hotkeys: Ctrl+Alt+key works while another window has the focus.
        face_model: a FaceLandmarker bundle to use instead of the bundled face mesh.
        looks_file: a looks file to use instead of the user's own.
        idle: the webcam rests while nobody reads the virtual camera: True or False; None where it can be known.
        build: better engines are built while the picture runs; else it runs on what is there.
        mic_delay: say by how much the picture is later than the sound, and give the call a microphone as late.
    """

    source: str = "0"
    look: str = "glaze"
    sinks: tuple[str, ...] = ("virtual-camera",)
    size_wh: tuple[int, int] = (1280, 720)
    fps: float = 30.0
    max_faces: int = 1
    strength: float = 1.0
    mirror: bool = False
    frames: int | None = None
    report: Path | None = None
    runtime: str = "auto"
    global_hotkeys: bool = False
    face_model: Path | None = None
    looks_file: Path | None = None
    idle: bool | None = None
    build: bool = True
    mic_delay: bool = False

    def __post_init__(self) -> None:
        _within("--fps", self.fps, 1, 240)
        _within("--max-faces", self.max_faces, 1, 4)
        _within("--strength", self.strength, 0, 1)
        if self.frames is not None:
            _within("--frames", self.frames, 1, 10**9)
        if self.runtime not in RUNTIMES:
            raise OptionsError(f"--runtime {self.runtime}", "there is no such runtime", f"use {', '.join(RUNTIMES)}")
        if not self.sinks:
            raise OptionsError("--sink", "none given", "name virtual-camera, window, file:PATH or null")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        asked = f"{value:g}" if abs(value) < 1e15 else shown(value)
        raise OptionsError(f"{name} {asked}", "out of range", f"use {low:g} to {high:g}")


def parse_size(text: str) -> tuple[int, int]:
    """ "1280x720" as (1280, 720).

    Raises:
        OptionsError: not of that form, or not between 16 and 8192 pixels.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionsError(f"--size {text}", "not a size", "write WIDTHxHEIGHT, for example 1280x720")
    size_wh = int(match[1]), int(match[2])
    if not all(16 <= side <= 8192 for side in size_wh):
        raise OptionsError(f"--size {text}", "out of range", "use 16 to 8192 pixels a side")
    return size_wh


def settings_file() -> Path:
    """The user's settings file, whether it is there or not."""
    return paths.config_dir() / "settings.toml"


def load_options(given: Mapping[str, Any]) -> LiveOptions:
    """Options from the command line over those of the settings file's [run] table over the defaults.

    Args:
        given: field names of `LiveOptions` with values; None means not given.

    Raises:
        OptionsError: the settings file or a value is wrong; the message names it.
    """
    merged = _settings(settings_file())
    merged.update({name: value for name, value in given.items() if value is not None and value != ()})
    if isinstance(merged.get("size_wh"), str):
        merged["size_wh"] = parse_size(merged["size_wh"])
    return LiveOptions(**merged)


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        tables = toml.read(path)
    except (OSError, toml.TOMLDecodeError) as error:
        raise OptionsError(f"settings file {path}", f"not readable: {error}", "correct that line") from error
    run = tables.pop("run", {})
    if tables or not isinstance(run, dict):
        got = f"unknown table {shown(sorted(tables))}" if tables else f"run = {shown(run)} is no table"
        raise OptionsError(f"settings file {path}", got, "use one table, [run]")
    return {_field(name, path): _value(name, value, path) for name, value in run.items()}


_NAMES = {"size": "size_wh", "sink": "sinks"}
_KINDS: dict[str, tuple[type, ...]] = {
    "source": (str, int),
    "look": (str,),
    "sinks": (str, list),
    "size_wh": (str,),
    "fps": (int, float),
    "max_faces": (int,),
    "strength": (int, float),
    "mirror": (bool,),
    "frames": (int,),
    "report": (str,),
    "runtime": (str,),
    "global_hotkeys": (bool,),
    "face_model": (str,),
    "looks_file": (str,),
    "idle": (bool,),
    "build": (bool,),
    "mic_delay": (bool,),
}


def _field(name: str, path: Path) -> str:
    field = _NAMES.get(name, name).replace("-", "_")
    if field not in {f.name for f in fields(LiveOptions)}:
        known = ", ".join(sorted(set(_KINDS) - set(_NAMES.values()) | set(_NAMES)))
        raise OptionsError(f"settings file {path}", f"unknown key {shown(name)} in [run]", f"keys are {known}")
    return field


def _value(name: str, given: Any, path: Path) -> Any:
    field = _field(name, path)
    kinds = _KINDS[field]
    if type(given) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise OptionsError(f"settings file {path}", f"{name} = {shown(given)}", f"write a {wanted}")
    if field == "sinks":
        return (given,) if isinstance(given, str) else tuple(map(str, given))
    if field in ("report", "face_model", "looks_file"):
        return paths.expanded(given)
    return str(given) if field == "source" else given
