"""`veneer apply` on AVIF, HEIC and JPEG: colours, depth and quantisation of what is encoded anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000
from support.apply_parts import veneer

from benchmarks.picture_files.picture_samples import deep, face_rgb
from benchmarks.picture_files.rgb_profiles import SRGB
from live.options import ApplyOptions
from live.picture_files.picture_reader import PictureFile
from live.recording.encoders import usual_scheduling
from live.recording.file_apply import apply_to


@pytest.mark.parametrize("has_alpha", [False, True])
def test_avif_colours_stay_within_half_a_unit(tmp_path: Path, has_alpha: bool) -> None:
    face = Image.fromarray(face_rgb())
    if has_alpha:
        face.putalpha(Image.linear_gradient("L").resize(face.size).point(lambda level: 255 - level // 2))
    face.save(tmp_path / "a.avif", quality=80)
    assert apply_to(tmp_path / "a.avif", tmp_path / "b.avif", ApplyOptions(look="none")) == 0
    before, after = (PictureFile(tmp_path / name).still().rgb for name in ("a.avif", "b.avif"))
    assert np.abs((after.astype(float) - before).mean((0, 1))).max() < 0.25, "no channel is shifted"
    assert deltaE_ciede2000(SRGB.lab(before), SRGB.lab(after)).mean() < 0.5


@pytest.mark.parametrize("suffix", [".heic", ".avif"])
def test_ten_bits_of_heic_and_avif_become_eight(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep{suffix}"
    if suffix == ".heic":
        pillow_heif.from_bytes("RGB;16", (320, 320), deep(face_rgb()).tobytes()).save(path, quality=100)
    else:
        with av.open(str(path), "w", format="avif") as container:
            stream = container.add_stream("libsvtav1", rate=1, options={"crf": "1"})
            stream.width = stream.height = 320
            stream.pix_fmt = "yuv420p10le"
            frame = av.VideoFrame.from_ndarray(face_rgb(), format="rgb24").reformat(format="yuv420p10le")
            with usual_scheduling():
                packets = stream.encode(frame)
            container.mux([*packets, *stream.encode(None)])
    done = veneer("apply", path, tmp_path / "out.png", "--look", "none")
    assert done.returncode == 0 and f"deep{suffix}: its 10 bits per channel are read as 8" in done.stderr, done.stderr
    written = PictureFile(tmp_path / "out.png").still().rgb
    assert written.dtype == np.uint8 and np.abs(written.astype(int) - face_rgb()).mean() < 4


@pytest.mark.parametrize(("kind", "quality"), [("jpg", 60), ("jpg", 98), ("png", 98)])
def test_jpeg_is_quantized_no_coarser_than_its_source(tmp_path: Path, kind: str, quality: int) -> None:
    face = Image.fromarray(face_rgb())
    face.save(tmp_path / "fine.jpg", quality=quality)
    face.save(tmp_path / "usual.jpg", quality=95)
    face.save(tmp_path / f"a.{kind}", quality=quality)
    assert apply_to(tmp_path / f"a.{kind}", tmp_path / "b.jpg", ApplyOptions(look="none")) == 0
    pictures: list[Any] = [Image.open(tmp_path / f"{name}.jpg") for name in ("b", "fine", "usual")]
    written, *others = (list(picture.quantization.values()) for picture in pictures)
    written *= 2 // len(written)  # in RGB one table is for all three
    for table, own, other in zip(written, *others, strict=True):
        assert all(step <= min(pair) for step, *pair in zip(table, own, other, strict=True))
    assert {layer[1:3] for layer in pictures[0].layer} == {(1, 1)}, "4:4:4"
    for picture in pictures:
        picture.close()
