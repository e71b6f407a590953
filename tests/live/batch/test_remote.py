"""`veneer apply s3://BUCKET/IN s3://BUCKET/OUT`, on an S3 server of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.apply_parts import film, one_line, veneer

from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def test_bucket_is_done_into_a_bucket_and_resumed(bucket: Any, tmp_path: Path, portrait_bgr: ImageU8) -> None:
    write_picture(tmp_path / "a.png", portrait_bgr)
    film(tmp_path / "b.avi.mp4", 5)
    for name in ("a.png", "b.avi.mp4"):
        bucket.put_file(str(tmp_path / name), f"films/in/süß/{name}")
    bucket.pipe_file("films/in/notes.txt", b"text")
    arguments = ("apply", "s3://films/in", "s3://films/out", "--look", "matte-red")
    done = veneer(*arguments)
    assert done.returncode == 0 and "2 of 2 files done" in done.stderr and "1 .txt" in done.stderr, done.stderr
    assert sorted(bucket.find("films/out")) == ["films/out/süß/a.png", "films/out/süß/b.avi.mp4"]
    assert veneer("apply", tmp_path / "a.png", tmp_path / "here.png", "--look", "matte-red").returncode == 0
    assert bucket.cat_file("films/out/süß/a.png") == (tmp_path / "here.png").read_bytes()
    assert "0 of 2 files done" in veneer(*arguments).stderr
    bucket.rm_file("films/out/süß/a.png")
    done = veneer(*arguments, "--jobs", "2")
    assert "1 of 2 files done" in done.stderr and bucket.exists("films/out/süß/a.png"), done.stderr


def test_missing_bucket_is_one_line(bucket: Any, tmp_path: Path) -> None:
    assert "there is no file below it" in one_line(veneer("apply", "s3://films/nothing", "s3://films/out"))
    assert "one is an address" in one_line(veneer("apply", "s3://films/in", tmp_path / "out"))
