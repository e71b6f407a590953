"""The same seed gives the same weights, byte for byte, as the code before `TrainingMethod`: on this machine, now."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.kit_parts import lip_crops, make_pairs, write_pairs
from support.root import ROOT

from engines.training.cross_validation import plan_cross_validation
from engines.training.data.lip_pairs import LipPairs
from engines.training.data.paired_dataset import open_pairs
from engines.training.methods.paired import Paired, PairedConfig
from engines.training.style_card import save_style
from engines.training.trainer import fit

OLD_COMMIT = "c0ade27"
SHARED: dict[str, Any] = {
    "steps": 7, "batch": 4, "crop_px": 32, "check_every": 3, "precision": "32-true", "warm_up_steps": 2, "seed": 5,
    "generator_args": {"channels": 4, "blocks": 1},
}  # fmt: skip
RUNS: dict[str, tuple[dict[str, Any], dict[str, float | str]]] = {
    "paired": ({}, {"temporal": 0.2}),
    "muon": ({"optimiser": "muon", "webcam": 1.0}, {"temporal": 0.0}),
    "adamw": ({"optimiser": "adamw", "grid_px": 4}, {"temporal": 0.2}),
    "bf16": ({"precision": "bf16-mixed"}, {"temporal": 0.2}),
    "vanilla": ({}, {"adversarial": 0.1, "gan": "vanilla", "temporal": 0.0}),
    "lsgan": ({}, {"adversarial": 0.1, "gan": "lsgan", "temporal": 0.2}),
    "wgan-gp": ({}, {"adversarial": 0.1, "gan": "wgan-gp", "temporal": 0.0}),
    "dropout": (
        {"generator": "pix2pix", "generator_args": {"channels": 4, "depth": 4}, "optimiser": "muon"},
        {"adversarial": 0.1},
    ),
}
OLD_PROGRAM = """
import hashlib, json, sys
from pathlib import Path
import numpy as np, torch
from safetensors.torch import save
from engines.training import lips
from engines.training.kit.data import load_pairs
from engines.training.kit.loop import fit
from engines.training.kit.recipe import Objectives, Recipe

torch.set_num_threads(1)
folder, shared, runs = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])

def digest(net):
    return hashlib.sha256(save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})).hexdigest()

pairs, _ = load_pairs(folder / "before", folder / "after", size_wh=(48, 48))
found = {}
for name, (changes, losses) in runs.items():
    recipe = Recipe(**{**shared, **changes}, objectives=Objectives(**losses))
    found[name] = digest(fit(pairs, recipe, folder / "old" / name).net)
before, after = np.load(folder / "lips.npy")
net, scores = lips.train(
    lips.Pairs("x", before, after, ""), lips.Recipe(epochs=3), folds=2, seed=4, on_epoch=lambda: None
)
found["lips"], found["lip scores"] = digest(net), scores
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of several sizes, and lip crops."""
    folder = tmp_path_factory.mktemp("same")
    before, after = write_pairs(make_pairs(6), folder)
    for place in (before, after):
        assert cv2.imwrite(str(place / "wide.png"), np.random.default_rng(1).integers(0, 256, (60, 100, 3), np.uint8))
    np.save(folder / "lips.npy", np.stack(lip_crops(7)))
    return folder


@pytest.fixture(scope="module")
def old(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the old code trains, by name of the run."""
    archive = subprocess.run(
        ["git", "archive", OLD_COMMIT, "engines", "live"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"commit {OLD_COMMIT} is not in this clone: {archive.stderr.decode().strip()}")
    code = tmp_path_factory.mktemp("old-code")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(code, filter="data")
    command = [sys.executable, "-c", OLD_PROGRAM, str(data), json.dumps(SHARED), json.dumps(RUNS)]
    trained = subprocess.run(command, cwd=code, capture_output=True, text=True, timeout=600, check=False)
    assert trained.returncode == 0, trained.stderr[-2000:]
    found: dict[str, Any] = json.loads(trained.stdout.splitlines()[-1])
    return found


def digest(weights: Path) -> str:
    return hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "workers"), [*((name, 0) for name in RUNS), ("paired", 2)])
def test_paired_weights_are_those_of_the_old_code(
    name: str, workers: int, data: Path, old: dict[str, Any], tmp_path: Path
) -> None:
    pairs, _ = open_pairs(data / "before", data / "after", tmp_path / "pairs.u8", size_wh=(48, 48))
    changes, losses = RUNS[name]
    config = PairedConfig(**{"temporal": 0.0, **SHARED, **changes, **losses}, workers=workers)  # type: ignore[arg-type]
    outcome = fit(Paired(config, pairs), tmp_path / "work")
    assert digest(save_style(outcome.net, {"name": "new"}, tmp_path)) == old[name]


def test_lip_weights_and_scores_are_those_of_the_old_code(data: Path, old: dict[str, Any], tmp_path: Path) -> None:
    before, after = np.load(data / "lips.npy")
    pairs = LipPairs("x", before, after, "")
    _, outcome, scores = plan_cross_validation(pairs, tmp_path / "work", folds=2, epochs=3, seed=4).run()
    assert digest(save_style(outcome.net, {"name": "new"}, tmp_path)) == old["lips"]
    assert scores == old["lip scores"]
