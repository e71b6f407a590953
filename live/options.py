"""The options of a run: the command line over the settings file over the defaults, as one frozen, checked value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from typer import Option

from engines import paths, toml
from engines.errors import OptionsError, VeneerError
from engines.option_fields import check_ranges, field_of_key, options_from_table
from engines.untrusted_files import shown

_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")


class Size(NamedTuple):
    """Width and height in pixels; printed as "1280x720"."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse_runtime(text: str) -> str:
    """Return the name of a runtime.

    Raises:
        OptionsError: There is no such runtime.
    """
    from engines.runtime.selector import RUNTIMES  # imports NumPy, which `veneer --help` does without

    if text not in RUNTIMES:
        raise OptionsError(f"--runtime {text}", "there is no such runtime", f"use {', '.join(RUNTIMES)}")
    return text


def parse_size(text: str) -> Size:
    """Return "1280x720" as (1280, 720).

    Raises:
        OptionsError: The text has another form, or a side is not between 16 and 8192 pixels.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionsError(f"--size {text}", "not a size", "write WIDTHxHEIGHT, for example 1280x720")
    size_wh = Size(int(match[1]), int(match[2]))
    if not all(16 <= side <= 8192 for side in size_wh):
        raise OptionsError(f"--size {text}", "out of range", "use 16 to 8192 pixels a side")
    return size_wh


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """The options of one run; `veneer run` and the `[run]` table of the settings file are generated from the fields.

    Raises:
        OptionsError: A value is out of range, or no sink is named.

    Attributes:
        places: Of the fields that come from the settings file: the file, the line, the key and the value.
    """

    source: Annotated[str, Option(help="Camera number, device, file, or demo.")] = "0"
    look: Annotated[str, Option(help="Name of the look; veneer looks lists them.")] = "glaze"
    sinks: Annotated[
        tuple[str, ...],
        Option("--sink", help="virtual-camera[:DEVICE], window, file:PATH or null; may be repeated."),
    ] = ("virtual-camera",)
    size_wh: Annotated[
        tuple[int, int],
        Option("--size", parser=parse_size, metavar="WxH", help="Size requested from the camera and the demo."),
    ] = Size(1280, 720)
    fps: Annotated[float, Option(min=1, max=240, help="Frame rate of the camera, the demo and the output.")] = 30.0
    max_faces: Annotated[int, Option(min=1, max=4, help="Number of faces to track.")] = 1
    strength: Annotated[float, Option(min=0, max=1, help="Multiplies the strength of every layer of the look.")] = 1.0
    mirror: Annotated[bool, Option("--mirror/--no-mirror", help="Start with a mirrored picture.")] = False
    frames: Annotated[int | None, Option(min=1, help="Stop after this number of frames.")] = None
    report: Annotated[Path | None, Option(help="Write measurements to this JSON file.")] = None
    runtime: Annotated[
        str,
        Option(
            parser=parse_runtime, metavar="NAME", help="auto, tensorrt, openvino, openvino-gpu, openvino-npu or torch."
        ),
    ] = "auto"
    global_hotkeys: Annotated[
        bool, Option("--global-hotkeys", help="Ctrl+Alt+key works while another window has the focus.")
    ] = False
    face_model: Annotated[Path | None, Option(help="FaceLandmarker .task file, instead of the bundled face mesh.")] = (
        None
    )
    looks_file: Annotated[Path | None, Option(help="Looks file, instead of your own.")] = None
    idle: Annotated[
        bool | None,
        Option(
            "--idle/--no-idle",
            show_default="on where readers can be detected",
            help="Release the webcam while no program reads the virtual camera.",
        ),
    ] = None
    build: Annotated[
        bool, Option("--build/--no-build", help="Build better engines in the background while the picture runs.")
    ] = True
    mic_delay: Annotated[
        bool,
        Option("--mic-delay", help="Create a microphone delayed by the latency of the picture, or print that latency."),
    ] = False

    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.sinks:
            raise OptionsError("--sink", "none given", "name virtual-camera, window, file:PATH or null")

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Let errors about the value of a field name the line of the settings file that it comes from."""
        try:
            yield
        except VeneerError as error:
            if name not in self.places:
                raise
            raise OptionsError(self.places[name], error.got, error.do) from error


def settings_file() -> Path:
    """Return the path of the user's settings file, which may not exist."""
    return paths.config_dir() / "settings.toml"


def load_options(given: Mapping[str, Any]) -> LiveOptions:
    """Merge the command line over the `[run]` table of the settings file over the defaults.

    Args:
        given: Values from the command line, by field name of `LiveOptions`.

    Raises:
        OptionsError: The settings file or a value is wrong; the message names it.
    """
    settings, places = _read_settings(settings_file())
    return LiveOptions(**{**settings, **given}, places={name: places[name] for name in places.keys() - given.keys()})


def _read_settings(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values by field name, and the place of each."""
    if not path.is_file():
        return {}, {}
    where = f"settings file {path}"
    try:
        file = toml.read(path)
    except OSError as error:
        raise OptionsError(where, error.strerror or str(error), "allow this user to read it, or delete it") from error
    except toml.TOMLDecodeError as error:
        raise OptionsError(where, f"not TOML: {error}", "correct that line") from error
    run = file.tables.get("run", {})
    for name in file.tables:
        if name != "run" or not isinstance(run, dict):
            got = f"{name} = {shown(run)} is not a table" if name == "run" else f"unknown table {shown(name)}"
            raise OptionsError(f"settings file {file.place(name)}", got, "use one table, [run]")

    def place(key: str) -> str:
        return f"settings file {file.place('run', key)}"

    values = options_from_table(LiveOptions, run, place)
    places = {}
    for key, value in run.items():
        if (one := field_of_key(LiveOptions, key)) is not None:
            places[one.name] = f"{place(key)}, {key} = {shown(value)}"
    for name in values.keys() & {"face_model", "looks_file"}:
        if not values[name].is_file():
            raise OptionsError(places[name], "there is no such file", "correct the path")
    return values, places
