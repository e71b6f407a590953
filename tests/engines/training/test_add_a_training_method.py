"""The example in docs/add-a-training-method.md works as one new module."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
import torch
from support.kit_parts import make_pairs
from support.root import ROOT

from engines.training import methods
from engines.training.checkpoints.checkpoint import prepare_folder
from engines.training.methods import load_method, method_names
from engines.training.progress import StoppedError, Watch
from engines.training.style_card import save_style, style_card
from engines.training.trainer import fit


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """The method of the document, in a folder of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-training-method.md").read_text(), re.DOTALL)
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "plain.py").write_text(code)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path / "methods")])
    return load_method("plain")


def test_the_documented_method_trains_resumes_and_exports(plain: type, tmp_path: Path) -> None:
    assert "plain" in method_names()
    config = plain.config_class(
        crop_px=32, steps=9, batch=2, check_every=3, warm_up_steps=2, precision="32-true", workers=0,
        generator_args={"channels": 4, "blocks": 1},
    )  # fmt: skip
    method = plain(config, make_pairs(3))
    whole = fit(method, tmp_path / "whole")
    assert set(whole.progress.checks[0]) == {"step", "loss", "l1"}
    assert (tmp_path / "whole" / "samples.png").exists()

    def stop(step: int) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError):
        fit(method, tmp_path / "stopped", watch=Watch(on_step=stop))
    resumed = fit(method, tmp_path / "stopped", resume=True)
    weights = resumed.net.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in whole.net.state_dict().items())
    card = style_card("mine", method, whole, region="face", origin={"pairs": "the user's own"})
    prepare_folder(tmp_path / "out")
    assert save_style(whole.net, card, tmp_path / "out").exists()
    assert (card["method"], card["size_wh"]) == ("plain", [48, 48])
