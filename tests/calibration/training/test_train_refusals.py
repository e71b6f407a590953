"""`veneer train STYLE` with options that it refuses: one line, before the work begins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.train_parts import QUICK, call

from engines.errors import OptionsError, VeneerError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("x",), "neither --teacher nor --before nor --photos nor --style-picture - give --teacher NAME --faces DIR"),
        (("x", "--teacher", "sketch"), "--teacher without --faces - give --teacher NAME --faces DIR"),
        (
            ("x", "--teacher", "sketch", "--faces", ".", "--before", ".", "--after", "."),
            "--after together with --faces, --teacher - the two cannot be combined",
        ),
        (("X y", "--teacher", "sketch", "--faces", "."), "small letters"),
        (("x", "--teacher", "skech", "--faces", "."), "did you mean 'sketch'"),
        (("x", "--teacher", "sketch", "--faces", "nowhere"), "no such folder"),
        (("x", "--before=.", "--after", "nowhere"), "--after nowhere: there is no such folder - check the path"),
        (("x", "--teacher", "sketch", "--faces", ".", "--region", "nose"), "face, head, frame, person"),
        (("x", "--teacher", "sketch", "--faces", ".", "--arg", "channels"), "NAME=VALUE"),
        (("x", "--teacher", "sketch", "--faces", ".", "--arg", "channels=--5"), "channels must be a whole number"),
        (("x", "--teacher", "sketch", "--faces", ".", "--arg", "channels=-5"), "a whole number from 4 to 256"),
        (("x", "--teacher", "sketch", "--faces", ".", "--method", "pared"), "did you mean 'paired'"),
        (("x", "--teacher", "sketch", "--faces", ".", "--method", "lips"), "data of its own command"),
        (("x", "--teacher", "sketch", "--faces", ".", "--generator", "toon_nett"), "toon_net"),
        (("x", "--teacher", "sketch", "--faces", ".", "--webcam", "1.5"), "--webcam 1.5"),
        (("x", "--teacher", "sketch", "--faces", ".", "--steps", "1", "--minutes", "1"), "give one of them"),
    ],
)
def test_unusable_options_are_one_line(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)) as caught:
        call(*options, "--work", tmp_path / "w", "--out", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--crop", "512"), "crops of 512 pixels: the pictures are 256x256"),
        (("--generator", "pix2pix", "--arg", "depth=8"), "use sizes in multiples of 256 pixels"),
        (("--generator", "pix2pix", "--arg", "depth=8", "--region", "frame"), "the region is 448x256"),
        (("--perceptual", "1", "--vgg", "TERMS.txt"), "VGG-19 weights TERMS.txt"),
        (("--from", "tone"), "did you mean 'toon'"),
        (("--from", "lips-glaze"), "weights to start from: it is another generator"),
        (("--batch", "1000000000"), "GB of memory"),
        (("--minutes", "inf"), "--minutes inf: out of range"),
        (("--l1", "inf"), "the loss is"),
        (("--lr", "inf"), "a weight is not finite after one step"),
        (("--precision", "16-mixed"), "this device trains in bf16-mixed instead"),
        (("--resume",), "there is none - start without --resume"),
        (("--resume", "--again"), "give one of them"),
    ],
)
def test_wrong_options_are_refused_before_photos(
    options: tuple[str, ...], message: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibration.training.train_run._make_pairs", lambda *_: pytest.fail("pictures were made"))
    quick = [] if "--crop" in options or "--generator" in options else QUICK[2:]
    quick = quick[:2] if options[0] == "--precision" else quick
    with pytest.raises(VeneerError, match=re.escape(message)) as caught:
        call("x", "--teacher", "sketch", "--faces", photos, "--work", tmp_path, *quick, *options)
    assert "\n" not in str(caught.value)


def test_too_large_a_batch_is_refused_with_one_that_fits(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    options = ("x", "--teacher", "sketch", "--faces", tmp_path / "empty", "--work", tmp_path, *QUICK)
    with pytest.raises(OptionsError, match=r"at least .* GB .* free - use --batch (\d+) or less") as caught:
        call(*options, "--batch", 10**9)
    fits = re.search(r"--batch (\d+) or", str(caught.value))
    assert fits is not None
    with pytest.raises(OptionsError, match="no pictures there"):  # the batch is accepted
        call(*options, "--batch", int(fits[1]) // 2)
