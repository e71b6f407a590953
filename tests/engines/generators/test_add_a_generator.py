"""Adding one module to `engines.generators` is enough to train, evaluate, export and run a new generator."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.cli_parts import call
from support.kit_parts import make_pairs, write_pairs

from engines import generators, paths
from engines.cache.cache_entry import entries
from engines.errors import LookError
from engines.generators import registry
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style
from live.portrait import portrait_bgr

LAYER = """
from torch import nn


def squeeze(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, channels, 4, stride=4), nn.LeakyReLU(0.2))
"""
MODULE = '''
"""TintNet: colours a picture by a small map."""

from torch import nn

from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.squeeze_layer import squeeze

SPEC = GeneratorSpec(
    name="tint",
    network="TintNet",
    paper="a test",
    arguments={
        "channels": Argument(8, 4, 64),
        "gain": Argument(0.5, 0.0, 1.0),
        "up": Argument("nearest", choices=("nearest", "bilinear")),
        "bias": Argument(True),
    },
    value_range=(-1, 1),
    step_px=4,
)


class TintNet(nn.Module):
    def __init__(self, channels=8, gain=0.5, up="nearest", bias=True):
        super().__init__()
        self.gain = gain
        self.squeeze = squeeze(channels)
        self.tint = nn.Conv2d(channels, 3, 1, bias=bias)
        self.up = nn.Upsample(scale_factor=4, mode=up)

    def forward(self, rgb):
        return (rgb + self.gain * self.up(self.tint(self.squeeze(rgb)))).tanh()
'''
ARGUMENTS = ["channels=4", "gain=0.75", "up=bilinear", "bias=false"]
QUICK = "--no-cut --steps 6 --crop 32 --batch 2 --workers 0 --precision 32-true"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of generator modules beside the package's own."""
    added = tmp_path / "generators"
    added.mkdir()
    (added / "tint_net.py").write_text(MODULE)
    (added / "squeeze_layer.py").write_text(LAYER)
    monkeypatch.setattr(generators, "__path__", [*generators.__path__, str(added)])
    return added


def test_one_module_adds_a_generator(folder: Path, veneer_home: Path, tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(6), tmp_path / "pairs")
    both = ("--before", before, "--after", after)

    given = [word for argument in ARGUMENTS for word in ("--arg", argument)]
    words = (*both, "--generator", "tint", *given, *QUICK.split(), "--work", tmp_path / "work")
    trained = call("train", "tinted", *words)
    assert trained.returncode == 0, trained.stderr
    card = json.loads((paths.data_dir() / "weights" / "tinted.json").read_text())
    assert card["generator"] == "tint"
    assert card["generator_args"] == {"channels": 4, "gain": 0.75, "up": "bilinear", "bias": False}

    evaluated = call("evaluate", "tinted", *both, "--json")
    assert evaluated.returncode == 0 and json.loads(evaluated.stdout)

    style = load_style("tinted")
    crops_bgr = np.random.default_rng(0).integers(0, 256, (1, *style.size_wh[::-1], 3), dtype=np.uint8)
    with torch.inference_mode():
        rgb = torch.from_numpy(crops_bgr[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
        expected_bgr = style.load_generator()(rgb).permute(0, 2, 3, 1).numpy()[..., ::-1] * 255
    assert np.abs(open_engine(style, runtime="openvino").infer(crops_bgr) - expected_bgr).max() < 1
    graphs = {entry.key for entry in entries()}
    assert graphs, "the exported graph is in the cache"

    (folder / "squeeze_layer.py").write_text(LAYER.replace("0.2", "0.1"))
    open_engine(style, runtime="openvino")
    assert len({entry.key for entry in entries()} - graphs) == 1, "a changed shared layer is a new engine"

    looks = paths.config_dir() / "looks.toml"
    looks.parent.mkdir(parents=True, exist_ok=True)
    looks.write_text('[looks.tinted]\nlayers = [{ style = "tinted" }]\nno_face = "hold"\n')
    picture, painted = tmp_path / "portrait.png", tmp_path / "painted.png"
    cv2.imwrite(str(picture), portrait_bgr())
    ran = call("apply", picture, painted, "--look", "tinted", "--runtime", "openvino")
    assert ran.returncode == 0, ran.stderr
    assert (cv2.imread(str(painted)) != portrait_bgr()).mean() > 0.02, "the head is painted"


def test_commands_offer_the_added_generator(folder: Path) -> None:
    assert "tint" in registry.generator_names()
    wrong = call("train", "tinted", "--generator", "tintt", "--before", folder, "--after", folder)
    assert wrong.returncode == 2 and "did you mean 'tint'" in wrong.stderr


@pytest.mark.parametrize(
    ("field", "got"),
    [('inputs=("image", "latent")', "inputs are image, latent"), ('output_size="multiple"', "size of its output")],
)
def test_unsupported_inputs_and_sizes_are_one_line(folder: Path, veneer_home: Path, field: str, got: str) -> None:
    (folder / "tint_net.py").write_text(MODULE.replace("step_px=4", f"step_px=4, {field}"))
    before, after = write_pairs(make_pairs(2), folder / "pairs")
    refused = call("train", "tinted", "--before", before, "--after", after, "--generator", "tint")
    assert refused.returncode == 2 and got in refused.stderr and refused.stderr.count("\n") == 1
    styles = paths.data_dir() / "weights"
    styles.mkdir(parents=True)
    card = {"generator": "tint", "region": "head", "output": "picture", "size_wh": [64, 64]}
    (styles / "tinted.json").write_text(json.dumps(card))
    with pytest.raises(LookError, match=got):
        load_style("tinted")
