"""VideoSource decodes every YUV matrix and range to the original colours."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from support.video_files import Picture, all_frames

from live.pipeline.frame import Frame
from live.sources.video_source import VideoSource

AV_BT709, AV_BT601, AV_LIMITED, AV_FULL = 1, 6, 1, 2  # matrix numbers of ITU-T H.273, range numbers of FFmpeg


def chart_bgr(rows: int, columns: int) -> Picture:
    colours = np.random.default_rng(5).integers(16, 240, (rows, columns, 3)).astype(np.uint8)
    colours[0, :3] = (130, 150, 200), (80, 60, 190), (255, 255, 255)  # skin, lips, white
    return colours


def write_chart(path: Path, size_wh: tuple[int, int], matrix: int, colour_range: int, *, tagged: bool) -> Picture:
    """Write a chart of flat patches, converted to YUV by the formula of BT.709 or BT.601; return its BGR colours."""
    width, height = size_wh
    colours = chart_bgr(6, 8)
    k_red, k_blue = (0.2126, 0.0722) if matrix == AV_BT709 else (0.299, 0.114)
    blue, green, red = np.moveaxis(colours.astype(np.float64) / 255, 2, 0)
    luma = k_red * red + (1 - k_red - k_blue) * green + k_blue * blue
    chroma = np.stack([(blue - luma) / (2 - 2 * k_blue), (red - luma) / (2 - 2 * k_red)])
    full = colour_range == AV_FULL
    y = np.rint(luma * (255 if full else 219) + (0 if full else 16))
    u, v = np.rint(chroma * (255 if full else 224) + 128)
    planes = [
        np.kron(plane, np.ones((height // 6 // part, width // 8 // part))).clip(0, 255).astype(np.uint8)
        for plane, part in ((y, 1), (u, 2), (v, 2))
    ]
    i420 = np.concatenate([plane.reshape(-1, width) for plane in planes])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "4", "preset": "veryfast"}
        if tagged:
            stream.codec_context.colorspace, stream.codec_context.color_range = matrix, colour_range
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(i420, format="yuv420p")
            if tagged:
                frame.colorspace, frame.color_range = matrix, colour_range
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return colours


def colour_errors(frame: Frame, colours: Picture) -> NDArray[np.float64]:
    width, height = frame.size_wh
    middle_rows = (np.arange(6) * 2 + 1) * height // 12
    middle_columns = (np.arange(8) * 2 + 1) * width // 16
    seen = frame.bgr[np.ix_(middle_rows, middle_columns)]
    return np.asarray(deltaE_ciede2000(rgb2lab(seen[..., ::-1] / 255.0), rgb2lab(colours[..., ::-1] / 255.0)))


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720)], ids=["480p", "720p"])
@pytest.mark.parametrize("colour_range", [AV_LIMITED, AV_FULL], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [AV_BT709, AV_BT601], ids=["bt709", "bt601"])
def test_decoded_colours_match(tmp_path: Path, matrix: int, colour_range: int, size_wh: tuple[int, int]) -> None:
    colours = write_chart(tmp_path / "chart.mp4", size_wh, matrix, colour_range, tagged=True)
    source = VideoSource(tmp_path / "chart.mp4")
    source.open()
    errors = colour_errors(all_frames(source)[-1], colours)
    assert errors.max() < 2.0 and errors.mean() < 1.0


@pytest.mark.parametrize(("size_wh", "matrix"), [((1280, 720), AV_BT709), ((640, 480), AV_BT601)])
def test_unspecified_matrix_depends_on_the_size(tmp_path: Path, size_wh: tuple[int, int], matrix: int) -> None:
    colours = write_chart(tmp_path / "chart.mp4", size_wh, matrix, AV_LIMITED, tagged=False)
    source = VideoSource(tmp_path / "chart.mp4")
    source.open()
    assert colour_errors(all_frames(source)[-1], colours).max() < 2.0
