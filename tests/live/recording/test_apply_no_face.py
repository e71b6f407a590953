"""`veneer apply` on pictures and films without a face, or with one that cannot be painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.apply_parts import veneer
from support.never_bare_judge import is_smooth

from live.options import ApplyOptions
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame, ImageU8
from live.recording import file_apply
from live.sinks.video_file import VideoFileSink


@pytest.mark.parametrize(("rule", "shown"), [("blur", False), ("card", False), ("hold", False), ("raw", True)])
def test_mouth_too_small_to_paint_is_not_shown_bare(
    tmp_path: Path, portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch, rule: str, shown: bool
) -> None:
    import live.render.painter

    toml = f'[looks.mine]\nabout = "a"\nno_face = "{rule}"\nlayers = [{{ style = "lips-glaze" }}]\n'
    (tmp_path / "looks.toml").write_text(toml)
    write_picture(tmp_path / "a.png", portrait_bgr)
    monkeypatch.setattr(live.render.painter, "lips_region", lambda *_, **__: None)  # its result for a tiny mouth
    options = ApplyOptions(look="mine", looks_file=tmp_path / "looks.toml")
    assert file_apply.apply_to(tmp_path / "a.png", tmp_path / "b.png", options) == 0
    assert np.array_equal(read_picture(tmp_path / "b.png"), portrait_bgr) == shown


@pytest.mark.parametrize("in_folder", [False, True])
def test_picture_without_a_face_is_blurred_by_a_drawn_look(
    tmp_path: Path, portrait_bgr: ImageU8, in_folder: bool
) -> None:
    """It may show a person all the same."""
    source, faceless_bgr = tmp_path / "in", np.ascontiguousarray(portrait_bgr[220:])
    source.mkdir()
    write_picture(source / "back.png", faceless_bgr)
    done = veneer("apply", source if in_folder else source / "back.png", tmp_path / "out.png", "--look", "toon")
    assert done.returncode == 0 and "back.png: no face found; the result is a blurred picture" in done.stderr, (
        done.stderr
    )
    shown = read_picture(tmp_path / "out.png" / "back.png" if in_folder else tmp_path / "out.png")
    assert is_smooth(shown) and not is_smooth(faceless_bgr)


def test_frames_of_a_film_without_a_face_are_counted(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    sink = VideoFileSink(tmp_path / "in.mkv")
    sink.open(size_wh=(512, 512), fps=25)
    for index in range(12):
        picture = portrait_bgr if index < 5 else np.full_like(portrait_bgr, 127)
        sink.send(Frame(picture, index, 0.0, index / 25))
    sink.close()
    done = veneer("apply", tmp_path / "in.mkv", tmp_path / "out.mkv", "--look", "toon")
    assert done.returncode == 0
    says = "in.mkv: no face found on 7 of 12 frames; they show the last drawing for 0.5 s, then a blurred picture"
    assert says in done.stderr
