"""The options of a run: the command line over the settings file over the defaults, as one frozen, checked value."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from typer import Option

from engines import paths
from engines.errors import OptionsError, VeneerError
from engines.option_fields import check_ranges
from live.option_values import (
    Size,
    parse_jobs,
    parse_log,
    parse_others,
    parse_panel_host,
    parse_runtime,
    parse_size,
)
from live.settings import read_options

# Options of several commands, declared once.
_Look = Annotated[str, Option(help="Name of the look; veneer looks lists them.")]
_MaxFaces = Annotated[int, Option(min=1, max=4, help="Number of faces to track.")]
_Strength = Annotated[float, Option(min=0, max=1, help="Multiplies the strength of every layer of the look.")]
_Runtime = Annotated[
    str,
    Option(parser=parse_runtime, metavar="NAME", help="auto, tensorrt, openvino, openvino-gpu, openvino-npu or torch."),
]
_Network = Annotated[str, Option(help="Identity network that recognises people: embedded, or one you added.")]
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
    panel: Annotated[
        bool, Option("--panel/--no-panel", help="Serve the control page to the browsers of this machine.")
    ] = False
    panel_port: Annotated[int, Option(min=0, max=65535, help="Port of the control page; 0 for any free one.")] = 8610
    panel_host: Annotated[
        str | None,
        Option(
            parser=parse_panel_host,
            metavar="auto|ADDRESS",
            help="Serve the control page to a phone too, by TLS at this address of the machine.",
        ),
    ] = None
    browser: Annotated[bool, Option("--browser/--no-browser", help="Open the control page in the browser.")] = True
    obs: Annotated[
        bool,
        Option(
            "--obs/--no-obs", help="Scenes of OBS select looks, and looks scenes, by the table [obs] of the settings."
        ),
    ] = False
    only: Annotated[
        tuple[str, ...], Option(help="Enrolled people that the looks are for; others are left as they are. Repeatable.")
    ] = ()
    others: Annotated[
        str, Option("--else", parser=parse_others, metavar="bare|blur", help="With --only: how others are shown.")
    ] = "bare"
    network: _Network = "embedded"
    mic_delay: Annotated[
        bool,
        Option("--mic-delay", help="Create a microphone delayed by the latency of the picture, or print that latency."),
    ] = False

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.others == "blur" and not self.only:
            raise OptionsError("--else blur", "no person is named", "add --only NAME")
        if not self.sinks:
            raise OptionsError("--sink", "none given", "name virtual-camera, window, file:PATH or null")

    def check_files(self) -> None:
        """Raise OptionsError if a file is both read and written, or written twice."""
        named = [("source", self.source, paths.expanded(self.source))] if self.source != "demo" else []
        named += [
            ("sinks", text, paths.expanded(text.partition(":")[2])) for text in self.sinks if text.startswith("file:")
        ]
        named += [("report", str(self.report), self.report)] if self.report else []
        option_of: dict[Path, str] = {}
        for name, text, path in named:
            option = self.places.get(name, f"--{name.removesuffix('s')} {text}")
            real = Path(os.path.realpath(path))
            if real in option_of:
                raise OptionsError(option, f"it is the same file as {option_of[real]}", "name another one")
            option_of[real] = option


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
    jobs: Annotated[
        int | None,
        Option(
            parser=parse_jobs,
            metavar="N|auto",
            help="Processes for the files of a folder or the segments of a long film; auto finds the number.",
        ),
    ] = 1
    cluster: Annotated[
        str | None,
        Option(
            metavar="auto|ADDRESS",
            help="Process files and film segments on a Ray cluster; auto is that of this machine.",
        ),
    ] = None
    report: Annotated[Path | None, Option(help="Write throughput and times of the run to this JSON file.")] = None
    prometheus: Annotated[Path | None, Option(help="Of a folder: write the same for Prometheus to this text file.")] = (
        None
    )
    log: Annotated[str, Option(parser=parse_log, metavar="text|json", help="Of a folder: format of the messages.")] = (
        "text"
    )
    again: Annotated[
        bool, Option("--again", help="Of a folder: also process files that are done and have not changed.")
    ] = False
    runtime: _Runtime = "auto"
    network: _Network = "embedded"
    looks_file: _LooksFile = None

    def __post_init__(self) -> None:
        check_ranges(self)


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


_OptionsT = TypeVar("_OptionsT", bound=_FromSettings)


def _with_settings(options_class: type[_OptionsT], table: str, given: Mapping[str, Any]) -> _OptionsT:
    settings, places = read_options(options_class, table)
    return options_class(**{**settings, **given}, places={name: places[name] for name in places.keys() - given.keys()})
