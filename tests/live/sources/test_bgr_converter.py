"""Films of every pixel format, range, matrix, HDR kind and scan, against the `ffmpeg` program."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from support.ffmpeg_program import ffmpeg
from support.video_files import Picture, all_frames

from live.pipeline.frame import BT709, ColourTags
from live.sources.video_source import VideoSource

HDR = {"pq": ("smpte2084", "smpte2084"), "hlg": ("arib-std-b67", "arib-std-b67")}  # names of zscale, of the muxer
TO_SDR = (
    "zscale=agamma=0:t=linear:npl=203,format=gbrpf32le,zscale=agamma=0:p=bt709,tonemap=tonemap=mobius:desat=0,"
    "zscale=agamma=0:t=bt709:m=gbr:r=full,format=gbrp"
)


def mean_difference(a_bgr: Picture, b_bgr: Picture) -> float:
    """Return the mean dE2000 of two pictures."""
    a_lab, b_lab = (rgb2lab(picture[..., ::-1] / 255.0) for picture in (a_bgr, b_bgr))
    return float(deltaE_ciede2000(a_lab, b_lab).mean())


def read_png(path: Path) -> Picture:
    return np.asarray(cv2.imread(str(path)), np.uint8)


@pytest.fixture
def portrait_png(tmp_path: Path, portrait_bgr: Picture) -> Path:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), cv2.resize(portrait_bgr, (256, 256), interpolation=cv2.INTER_AREA))
    return path


@pytest.mark.parametrize("exposure", [0.0, 1.5], ids=["as-graded", "bright"])
@pytest.mark.parametrize("kind", ["pq", "hlg"])
def test_hdr_looks_as_zscale_and_tonemap_show_it(
    tmp_path: Path, portrait_png: Path, kind: str, exposure: float
) -> None:
    transfer, tag = HDR[kind]
    to_hdr = (
        f"zscale=agamma=0:pin=bt709:tin=bt709:min=gbr:rin=full:p=bt2020:t=linear:npl=203:m=gbr,format=gbrpf32le,"
        f"exposure=exposure={exposure},zscale=agamma=0:pin=bt2020:tin=linear:min=gbr:p=bt2020:t={transfer}:m=bt2020nc:"
        f"r=limited:npl=203,format=yuv444p10"
    )
    tags = ("-color_primaries", "bt2020", "-color_trc", tag, "-colorspace", "bt2020nc", "-color_range", "tv")
    film, reference = tmp_path / "hdr.mkv", tmp_path / "sdr.png"
    ffmpeg("-i", portrait_png, "-vf", to_hdr, "-frames:v", 1, "-c:v", "ffv1", *tags, film)
    ffmpeg("-i", film, "-vf", TO_SDR, "-frames:v", 1, reference)
    source = VideoSource(film)
    source.open()
    (frame,) = all_frames(source)
    assert mean_difference(frame.bgr, read_png(reference)) < 0.5
    assert frame.colour == BT709
    assert source.notes == [f"HDR ({kind.upper()}) was converted to SDR (BT.709)"]


FORMATS = {
    "yuv420p10le": "-c:v libx265 -x265-params log-level=none -crf 4 -preset ultrafast",
    "yuv422p10le": "-c:v prores_ks -profile:v 3",
    "yuv444p": "-c:v ffv1",
    "yuv422p": "-c:v ffv1",
    "yuvj420p": "-c:v mjpeg -q:v 1",
    "yuva420p": "-c:v ffv1",
    "gray": "-c:v ffv1",
    "gray10le": "-c:v ffv1",
    "gbrp": "-c:v ffv1",
    "gbrp12le": "-c:v ffv1",
    "bgr24": "-c:v rawvideo",
}


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_pixel_format_has_its_colours(tmp_path: Path, portrait_png: Path, pixel_format: str) -> None:
    suffix = {"yuv422p10le": "mov", "bgr24": "avi"}.get(pixel_format, "mkv")
    film = tmp_path / f"film.{suffix}"
    exact = "scale=256:256:flags=accurate_rnd+full_chroma_int+bicubic"
    ffmpeg("-i", portrait_png, "-vf", f"{exact},format={pixel_format}", *FORMATS[pixel_format].split(), film)
    second = tmp_path / "second.png"
    ffmpeg("-i", film, "-vf", f"{exact},format=bgr24", second)
    source = VideoSource(film)
    source.open()
    (frame,) = all_frames(source)
    means = [cv2.resize(each, (64, 64), interpolation=cv2.INTER_AREA) for each in (frame.bgr, read_png(second))]
    assert mean_difference(*means) < 0.3  # of blocks of 4x4, as readers interpolate chroma differently


def test_interlaced_film_is_deinterlaced_with_a_note(tmp_path: Path) -> None:
    film = tmp_path / "interlaced.mp4"
    bars = "testsrc2=size=320x240:rate=50:duration=1,crop=256:192:x=mod(n*8\\,64):y=24,interlace=lowpass=off"
    coded = ("-c:v", "libx264", "-crf", 8, "-flags", "+ilme+ildct", "-x264opts", "tff=1")
    ffmpeg("-f", "lavfi", "-i", bars, *coded, film)
    ffmpeg("-i", film, "-vf", "bwdif=mode=send_frame", tmp_path / "smooth%02d.png")
    ffmpeg("-i", film, tmp_path / "combed%02d.png")
    source = VideoSource(film)
    source.open()
    frames = all_frames(source)
    assert [frame.pts_s for frame in frames] == pytest.approx([number / 25 for number in range(25)])
    assert source.notes == ["interlaced frames were deinterlaced"]
    for number, frame in enumerate(frames, 1):
        assert mean_difference(frame.bgr, read_png(tmp_path / f"smooth{number:02}.png")) < 1.5
        assert mean_difference(frame.bgr, read_png(tmp_path / f"combed{number:02}.png")) > 3


@pytest.mark.parametrize(
    ("suffix", "coded", "notes"),
    [
        ("mov", "-c:v prores_ks -pix_fmt yuva444p10le", ["its transparency is left out"]),
        ("webm", "-c:v libvpx-vp9 -pix_fmt yuva420p -auto-alt-ref 0", ["its transparency is left out"]),
        ("mov", "-c:v prores_ks -pix_fmt yuv422p10le", []),
    ],
)
def test_lost_transparency_of_a_film_is_named(tmp_path: Path, suffix: str, coded: str, notes: list[str]) -> None:
    film = tmp_path / f"film.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=0.3", *coded.split(), film)
    source = VideoSource(film)
    source.open()
    assert len(all_frames(source)) == 3
    assert source.notes == notes


def test_wide_gamut_sdr_keeps_its_tags(tmp_path: Path, portrait_png: Path) -> None:
    film = tmp_path / "wide.mkv"
    wide = "zscale=pin=bt709:tin=bt709:min=gbr:rin=full:p=bt2020:t=2020_10:m=2020_ncl:r=limited,format=yuv420p10"
    tags = ("-color_primaries", "bt2020", "-color_trc", "bt2020-10", "-colorspace", "bt2020nc", "-color_range", "tv")
    ffmpeg("-i", portrait_png, "-vf", wide, "-c:v", "ffv1", *tags, film)
    source = VideoSource(film)
    source.open()
    assert [frame.colour for frame in all_frames(source)] == [ColourTags(primaries=9, transfer=14, matrix=9)]
    assert not source.notes


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 1), (3, 2)])
def test_frames_with_exif_are_read_upright(tmp_path: Path, portrait_bgr: Picture, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying_rgb = np.ascontiguousarray(np.rot90(portrait_bgr, turns)[..., ::-1])
    Image.fromarray(lying_rgb).save(tmp_path / "frame.jpg", exif=exif, quality=95)
    ffmpeg("-i", tmp_path / "frame.jpg", "-c", "copy", tmp_path / "film.mov")
    source = VideoSource(tmp_path / "film.mov")
    source.open()
    (frame,) = all_frames(source)
    assert mean_difference(frame.bgr, portrait_bgr) < 2
