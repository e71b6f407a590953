"""`benchmarks.portraits`: networks from noise against faces, the cost of a picture, digits as CSV."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.portraits import faces, synthesis
from benchmarks.portraits.picture_classes import read_set
from engines.errors import OptionsError
from engines.generators.registry import fresh_generator
from engines.paths import portraits_dir
from live.portrait import portrait_bgr

pytestmark = pytest.mark.usefixtures("one_thread")
ARGUMENTS = {"side_px": 32, "channels": 8, "latent": 8}


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, out: Path, *words: object) -> dict[str, dict[str, float]]:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words), "--out", str(out)])
    assert module.main() == 0
    return json.loads(out.read_text())  # type: ignore[no-any-return]


def network(name: str) -> None:
    torch.manual_seed(0)
    portraits_dir().mkdir(parents=True, exist_ok=True)
    save_file(fresh_generator("stylegan2", ARGUMENTS).state_dict(), portraits_dir() / f"{name}.safetensors")
    card = {"generator": "stylegan2", "generator_args": ARGUMENTS, "size_wh": [32, 32]}
    (portraits_dir() / f"{name}.json").write_text(json.dumps(card))


def photos(folder: Path) -> Path:
    """The built-in portrait's head, moved and brightened."""
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        left, top = (120 + rng.integers(-8, 9, 2)).tolist()
        head = portrait_bgr()[top - 100 : top + 156, left : left + 256]
        bright = cv2.convertScaleAbs(head, alpha=float(rng.uniform(0.7, 1.1)))
        cv2.imwrite(str(folder / "photos" / f"{i:02}.png"), bright)
    return folder / "photos"


def test_untrained_samples_are_farther_than_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network("noise")
    found = run(faces, monkeypatch, tmp_path / "a.json", "noise", "--photos", photos(tmp_path), "--count", 12)
    assert found["photos"]["mean"] < 0.5 * found["noise"]["mean"] and found["noise"]["precision"] < 0.5
    assert found["photos"]["precision"] > 0.5


def test_openvino_draws_what_pytorch_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network("noise")
    found = run(synthesis, monkeypatch, tmp_path / "a.json", "noise", "--rounds", 1, "--threads", 1)
    assert found["OpenVINO FP32"]["largest"] < 0.1 and 0 < found["OpenVINO FP16 weights"]["mean"] < 1


def test_digits_are_read_from_csv(tmp_path: Path) -> None:
    rows = [",".join(["7"] * 784 + [str(i // 20)]) for i in range(200)]
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    learned, tested = read_set(tmp_path / "digits.csv.gz", 100)
    assert len(learned) == 100 and tested.labels.sum(0).tolist() == [2.0] * 10
    assert tested.pictures_rgb[0, 16, 16].tolist() == [7, 7, 7] and tested.pictures_rgb[0, 0, 0, 0] == 0
    (tmp_path / "digits.csv").write_text("1,2\n" * 200)
    with pytest.raises(OptionsError, match="a table of 200 x 2"):
        read_set(tmp_path / "digits.csv", 100)
