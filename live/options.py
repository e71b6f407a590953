"""The options of a run: the command line over the settings file over the defaults, as one frozen, checked value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from typer import Option

from engines import paths, toml
from engines.errors import OptionsError, VeneerError, os_errors
from engines.option_fields import check_ranges, field_of_key, options_from_table
from engines.untrusted_files import shown

_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")


class Size(NamedTuple):
    """Width and height in pixels; printed as "1280x720"."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


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


def parse_runtime(text: str) -> str:
    """Return the name of a runtime.

    Raises:
        OptionsError: There is no such runtime.
    """
    from engines.runtime.selector import check_runtime  # imports NumPy, which `veneer --help` does without

    return check_runtime(text)


# Options of several commands, declared once.
_Look = Annotated[str, Option(help="Name of the look; veneer looks lists them.")]
_MaxFaces = Annotated[int, Option(min=1, max=4, help="Number of faces to track.")]
_Strength = Annotated[float, Option(min=0, max=1, help="Multiplies the strength of every layer of the look.")]
_Runtime = Annotated[
    str,
    Option(parser=parse_runtime, metavar="NAME", help="auto, tensorrt, openvino, openvino-gpu, openvino-npu or torch."),
]
_LooksFile = Annotated["Path | None", Option(help="Looks file, instead of your own.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _FromSettings:
    """Options that may come from the settings file.

    Attributes:
        places: Of the fields that come from there: the file, the line, the key and the value.
    """

    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    @contextmanager
    def naming(self, *names: str) -> Iterator[None]:
        """Let errors about the values of these fields name the line of the settings file that they come from."""
        try:
            yield
        except VeneerError as error:
            for name in names:
                if name in self.places and (len(names) == 1 or error.asked.startswith(f"--{name}")):
                    raise OptionsError(self.places[name], error.got, error.do) from error
            raise


@dataclass(frozen=True, slots=True)
class LiveOptions(_FromSettings):
    """The options of one run; `veneer run` and the `[run]` table of the settings file are generated from the fields.

    Raises:
        OptionsError: A value is out of range, or no sink is named.
    """

    source: Annotated[str, Option(help="Camera number, device, file, or demo.")] = "0"
    look: _Look = "glaze"
    sinks: Annotated[
        tuple[str, ...],
        Option("--sink", help="virtual-camera[:DEVICE], window, file:PATH or null; may be repeated."),
    ] = ("virtual-camera",)
    size_wh: Annotated[
        tuple[int, int],
        Option("--size", parser=parse_size, metavar="WxH", help="Size requested from the camera and the demo."),
    ] = Size(1280, 720)
    fps: Annotated[float, Option(min=1, max=240, help="Frame rate of the camera, the demo and the output.")] = 30.0
    max_faces: _MaxFaces = 1
    strength: _Strength = 1.0
    mirror: Annotated[bool, Option("--mirror/--no-mirror", help="Start with a mirrored picture.")] = False
    frames: Annotated[int | None, Option(min=1, help="Stop after this number of frames.")] = None
    report: Annotated[Path | None, Option(help="Write measurements to this JSON file.")] = None
    runtime: _Runtime = "auto"
    global_hotkeys: Annotated[
        bool, Option("--global-hotkeys", help="Ctrl+Alt+key works while another window has the focus.")
    ] = False
    face_model: Annotated[Path | None, Option(help="FaceLandmarker .task file, instead of the bundled face mesh.")] = (
        None
    )
    looks_file: _LooksFile = None
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

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.sinks:
            raise OptionsError("--sink", "none given", "name virtual-camera, window, file:PATH or null")


@dataclass(frozen=True, slots=True)
class ApplyOptions(_FromSettings):
    """The options of `veneer apply`; it and the `[apply]` table of the settings file are generated from the fields.

    Raises:
        OptionsError: A value is out of range.
    """

    look: _Look = "glaze"
    strength: _Strength = 1.0
    max_faces: _MaxFaces = 4
    quality: Annotated[
        int | None,
        Option(help="Quality of films on the encoder's scale; of H.264 0 (best) to 51, by default 18."),
    ] = None
    encoder: Annotated[
        str,
        Option(help="Encoder of films: auto, hardware, or FFmpeg's name, such as libx265, libsvtav1 or h264_nvenc."),
    ] = "auto"
    preset: Annotated[str | None, Option(help="Preset of the encoder, such as slow; of H.264 by default veryfast.")] = (
        None
    )
    size_wh: Annotated[
        tuple[int, int] | None,
        Option("--size", parser=parse_size, metavar="WxH", help="Scale films to this size, keeping the aspect ratio."),
    ] = None
    no_clobber: Annotated[bool, Option("--no-clobber/--clobber", help="Keep existing output files.")] = False
    runtime: _Runtime = "auto"
    looks_file: _LooksFile = None

    def __post_init__(self) -> None:
        check_ranges(self)


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
    return _with_settings(LiveOptions, "run", given)


def load_apply_options(given: Mapping[str, Any]) -> ApplyOptions:
    """Merge the command line over the `[apply]` table of the settings file; see `load_options`."""
    return _with_settings(ApplyOptions, "apply", given)


_TABLES = ("run", "apply")
_OptionsT = TypeVar("_OptionsT", bound=_FromSettings)


def _with_settings(options_class: type[_OptionsT], table: str, given: Mapping[str, Any]) -> _OptionsT:
    settings, places = _read_settings(settings_file(), options_class, table)
    return options_class(**{**settings, **given}, places={name: places[name] for name in places.keys() - given.keys()})


def _read_settings(path: Path, options_class: type, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a table by field name, and the place of each."""
    if not path.exists():
        return {}, {}
    where = f"settings file {path}"
    try:
        with os_errors(where, "allow this user to read it, or delete it"):
            file = toml.read(path)
    except toml.TOMLDecodeError as error:
        raise OptionsError(where, f"not TOML: {error}", "correct that line") from error
    for key, table in file.tables.items():
        if key not in _TABLES or not isinstance(table, dict):
            got = f"{key} = {shown(table)} is not a table" if key in _TABLES else f"unknown table {shown(key)}"
            raise OptionsError(f"settings file {file.place(key)}", got, "use [run] and [apply]")
    table = file.tables.get(name, {})

    def place(key: str) -> str:
        return f"settings file {file.place(name, key)}"

    values = options_from_table(options_class, table, place)
    places = {}
    for key, value in table.items():
        if (one := field_of_key(options_class, key)) is not None:
            places[one.name] = f"{place(key)}, {key} = {shown(value)}"
    for file_name in values.keys() & {"face_model", "looks_file"}:
        if not values[file_name].is_file():
            raise OptionsError(places[file_name], "there is no such file", "correct the path")
    return values, places
