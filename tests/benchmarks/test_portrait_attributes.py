"""`benchmarks.portraits.attributes`: how often a portrait network makes what was asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.portraits import attributes
from engines.generators.registry import fresh_generator
from engines.paths import portraits_dir

pytestmark = pytest.mark.usefixtures("one_thread")


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["attributes", *map(str, words)])
    return attributes.main()


def test_real_pictures_are_told_and_noise_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, rows = tmp_path / "photos", ["file,colour,side"]
    folder.mkdir()
    for number in range(80):
        picture = np.full((16, 16, 3), 40, np.uint8)
        picture[:, slice(0, 8) if number % 2 else slice(8, 16), number // 2 % 2] = 220
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        rows.append(f"{number}.png,{'green' if number // 2 % 2 else 'blue'},{'left' if number % 2 else 'right'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    arguments = {"side_px": 16, "channels": 4, "latent": 8, "classes": 4}
    torch.manual_seed(0)
    portraits_dir().mkdir(parents=True)
    save_file(fresh_generator("dcgan", arguments).state_dict(), portraits_dir() / "noise.safetensors")
    values = {"colour": ["blue", "green"], "side": ["left", "right"]}
    card = {"generator": "dcgan", "generator_args": arguments, "size_wh": [16, 16], "attributes": values}
    (portraits_dir() / "noise.json").write_text(json.dumps(card))
    monkeypatch.setattr(attributes, "_STEPS", 60)
    out = tmp_path / "out.json"
    words = ("--photos", folder, "--labels", tmp_path / "labels.csv", "--each", 4, "--out", out)
    assert run(monkeypatch, "noise", *words) == 0
    found = json.loads(out.read_text())
    assert found["real"] == {"colour": 1.0, "side": 1.0}
    assert max(found["samples"].values()) < 0.9
