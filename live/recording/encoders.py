"""The video encoders that films and recordings can use, and the choice of one."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from engines.errors import OptionsError
from engines.text import did_you_mean

AUTO, HARDWARE = "auto", "hardware"
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Encoder:
    """A video encoder of FFmpeg and how it is set.

    Attributes:
        name: FFmpeg's name of the encoder.
        options: always set; no frame reordering.
        quality: the options that take the quality, each with a factor; empty if it cannot be set.
        default_quality: comparable to x264's CRF 18.
        best, worst: the range of the quality.
        preset: the option that selects a preset, its default first, then all; empty if there is none.
        ticks_per_s: finest time base it supports (MPEG-4 Part 2 has 16 bits for it).
        pixel_format: 4:2:0 as the encoder takes it.
    """

    name: str
    options: Options = ()
    quality: tuple[tuple[str, int], ...] = ()
    default_quality: int = 0
    best: int = 0
    worst: int = 51
    preset: tuple[str, ...] = ()
    ticks_per_s: int = 90000
    pixel_format: str = "yuv420p"

    @property
    def codec_tag(self) -> str | None:
        """The sample type in MP4 and MOV that players require; None for the muxer's own choice."""
        return "hvc1" if "265" in self.name or "hevc" in self.name else None


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What the user asks of the video encoder.

    Attributes:
        encoder: FFmpeg's name of an encoder, "auto" or "hardware".
        quality: on the scale of that encoder; None for the default.
        preset: one of that encoder's presets; None for the default.
        size_wh: the largest size; the aspect ratio is kept. None for the size of the frames.
    """

    encoder: str = AUTO
    quality: int | None = None
    preset: str | None = None
    size_wh: tuple[int, int] | None = None


_X26X = (
    *("veryfast", "ultrafast", "superfast", "veryfast", "faster", "fast", "medium"),
    *("slow", "slower", "veryslow", "placebo"),
)
_NVENC = ("preset", "p4", *(f"p{number}" for number in range(1, 8)))
_QSV = ("preset", "medium", *_X26X[3:-1])
_AMF = ("quality", "balanced", "speed", "balanced", "quality")
_CBR: Options = (("b", "8M"),)
_NV_OPTIONS: Options = (("rc", "vbr"), ("b", "0"), ("bf", "0"))
_AMF_OPTIONS: Options = (("rc", "cqp"), ("bf", "0"))
_QSCALE: Options = (("flags", "+qscale"), ("bf", "0"))  # for encoders without CRF; FFmpeg counts it in units of 118
_QP: tuple[tuple[str, int], ...] = (("qp_i", 1), ("qp_p", 1))

# Without B-frames the decoding time of a frame equals its presentation time, a killed recording loses less, and a 720p
# frame takes about a sixth less time; files are a quarter larger.
# Chroma is quantised more finely than by default: a seventh more bytes, a quarter less difference in colour.
_X264_OPTIONS: Options = (("bf", "0"), ("x264-params", "chroma-qp-offset=-6"))
_X265_OPTIONS: Options = (("x265-params", "bframes=0:log-level=none:cbqpoffs=-6:crqpoffs=-6"),)
_X264 = Encoder("libx264", _X264_OPTIONS, (("crf", 1),), 18, preset=("preset", *_X26X))
_VIDEOTOOLBOX = Encoder("h264_videotoolbox", _QSCALE, (("global_quality", 118),), 65, best=100, worst=1)
_MEDIA_FOUNDATION = Encoder(
    "h264_mf", (("rate_control", "quality"),), (("quality", 1),), 80, best=100, worst=0, pixel_format="nv12"
)
_MPEG4 = Encoder("mpeg4", _QSCALE, (("global_quality", 118),), 3, best=1, worst=31, ticks_per_s=60000)

AUTOMATIC = (_X264, Encoder("libopenh264", _CBR), _VIDEOTOOLBOX, _MEDIA_FOUNDATION, _MPEG4)
"""The encoders of "auto", in order."""
HARDWARE_ENCODERS = (
    Encoder("h264_nvenc", _NV_OPTIONS, (("cq", 1),), 19, best=1, preset=_NVENC),
    Encoder("h264_qsv", (("bf", "0"),), (("global_quality", 1),), 19, best=1, preset=_QSV, pixel_format="nv12"),
    Encoder("h264_amf", _AMF_OPTIONS, _QP, 19, preset=_AMF),
    _VIDEOTOOLBOX,
    _MEDIA_FOUNDATION,
    Encoder("h264_v4l2m2m", _CBR),
)
"""The encoders of "hardware", in order."""
_BY_NAME = (
    Encoder("libx265", _X265_OPTIONS, (("crf", 1),), 20, preset=("preset", *_X26X)),
    Encoder("hevc_nvenc", _NV_OPTIONS, (("cq", 1),), 21, best=1, preset=_NVENC),
    Encoder("hevc_qsv", (("bf", "0"),), (("global_quality", 1),), 21, best=1, preset=_QSV, pixel_format="nv12"),
    Encoder("hevc_amf", _AMF_OPTIONS, _QP, 21, preset=_AMF),
    Encoder("hevc_videotoolbox", _QSCALE, (("global_quality", 118),), 65, best=100, worst=1),
    Encoder("libsvtav1", (), (("crf", 1),), 24, 1, 63, preset=("preset", "9", *map(str, range(14)))),
    Encoder("av1_nvenc", _NV_OPTIONS, (("cq", 1),), 24, best=1, preset=_NVENC),
    Encoder(
        "libvpx-vp9", (("b", "0"), ("row-mt", "1"), ("lag-in-frames", "0")), (("crf", 1),), 20, 0, 63,
        preset=("cpu-used", "5", *map(str, range(9))),
    ),
)  # fmt: skip


def all_encoders() -> tuple[Encoder, ...]:
    """Return every encoder once."""
    return tuple(dict.fromkeys((*AUTOMATIC, *HARDWARE_ENCODERS, *_BY_NAME)))


def encoder_options(encoder: Encoder, settings: EncoderSettings) -> dict[str, str]:
    """Return FFmpeg's options.

    Raises:
        OptionsError: The encoder has no such quality or preset.
    """
    options = dict(encoder.options)
    if encoder.quality:
        quality = encoder.default_quality if settings.quality is None else settings.quality
        if not min(encoder.best, encoder.worst) <= quality <= max(encoder.best, encoder.worst):
            do = f"use {encoder.best} (best) to {encoder.worst}, by default {encoder.default_quality}"
            raise OptionsError(f"--quality {quality}", f"out of range for {encoder.name}", do)
        options |= {name: str(quality * factor) for name, factor in encoder.quality}
    elif settings.quality is not None:
        raise OptionsError(f"--quality {settings.quality}", f"{encoder.name} has a fixed quality", "leave it out")
    if encoder.preset:
        name, default, *names = encoder.preset
        if settings.preset is not None and settings.preset not in names:
            got, do = f"{encoder.name} has no such preset", f"use {', '.join(names)}"
            raise OptionsError(f"--preset {settings.preset}", got, do)
        options[name] = settings.preset or default
    elif settings.preset is not None:
        raise OptionsError(f"--preset {settings.preset}", f"{encoder.name} has no presets", "leave it out")
    return options


def choose_encoder(
    settings: EncoderSettings, format_name: str, size_wh: tuple[int, int] = (640, 360), rate: Fraction = Fraction(30)
) -> Encoder | None:
    """Return the encoder for the settings, found by opening it; None if "auto" finds none.

    Args:
        settings: What the user asks.
        format_name: FFmpeg's name of the container.
        size_wh: Size of the frames, even.
        rate: Frame rate.

    Raises:
        OptionsError: A setting is wrong, the encoder does not work on this machine, or the container cannot hold its
            codec.
    """
    requested = f"--encoder {settings.encoder}"
    candidates: dict[str, tuple[Encoder, ...]] = {encoder.name: (encoder,) for encoder in all_encoders()}
    candidates |= {AUTO: AUTOMATIC, HARDWARE: HARDWARE_ENCODERS}
    if settings.encoder not in candidates:
        do = did_you_mean(settings.encoder, candidates, otherwise=f"use {', '.join(candidates)}")
        raise OptionsError(requested, "there is no such encoder", do)
    found = next((encoder for encoder in candidates[settings.encoder] if _opens(encoder, size_wh, rate)), None)
    if found is None and settings.encoder != AUTO:
        working = [encoder.name for encoder in all_encoders() if _opens(encoder, size_wh, rate)]
        raise OptionsError(requested, "it does not work on this machine", f"these do: {', '.join(working) or 'none'}")
    if found is not None:
        encoder_options(found, settings)
        if settings.encoder != AUTO and not _holds(format_name, found):
            raise OptionsError(requested, f"{format_name} files cannot hold its codec", "end the output's name in .mkv")
    return found


def _holds(format_name: str, encoder: Encoder) -> bool:
    import av

    try:
        with av.open(io.BytesIO(), "w", format=format_name) as container:
            stream = container.add_stream(encoder.name, rate=30, options=encoder_options(encoder, EncoderSettings()))
            stream.width, stream.height, stream.pix_fmt = 640, 360, encoder.pixel_format  # type: ignore[union-attr]
            with usual_scheduling():
                container.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def fallback_warning(encoder: Encoder, settings: EncoderSettings) -> str | None:
    """Return a message for the user if "auto" did not find its first choice."""
    if settings.encoder != AUTO or encoder is AUTOMATIC[0]:
        return None
    if encoder is _MPEG4:
        return "no H.264 encoder here: MPEG-4 Part 2, larger files"
    return f"no {AUTOMATIC[0].name} here: H.264 by {encoder.name}"


@contextlib.contextmanager
def usual_scheduling() -> Iterator[None]:
    """Restore the threads' scheduling after an encoder is opened: as root, SVT-AV1 sets real-time priority for all.

    That is for its own threads and the calling one, which keeps it when the encoder is closed. They would take the
    processor from all other programs.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            for thread in Path("/proc/self/task").iterdir():
                with contextlib.suppress(OSError):  # it has ended
                    os.sched_setscheduler(int(thread.name), policy, parameters)


def _opens(encoder: Encoder, size_wh: tuple[int, int], rate: Fraction) -> bool:
    """Open the encoder once: FFmpeg also lists encoders whose driver is missing."""
    import av
    from av.codec import CodecContext

    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 otherwise prints its settings
    try:
        context = CodecContext.create(encoder.name, "w")
        context.width, context.height, context.pix_fmt = *size_wh, encoder.pixel_format  # type: ignore[attr-defined]
        context.time_base, context.framerate = Fraction(1, encoder.ticks_per_s), rate  # type: ignore[attr-defined]
        context.options = encoder_options(encoder, EncoderSettings())
        with usual_scheduling():
            context.open()
    except (av.error.FFmpegError, ValueError):
        return False
    return True
