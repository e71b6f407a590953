"""The pictures a run leaves behind."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from support.kit_parts import full_disk, make_pairs, make_recipe

from engines.training.charts import curves, save_all
from engines.training.devices import make_fabric
from engines.training.methods.paired import Learner


def test_every_loss_and_score_has_a_curve_of_its_own() -> None:
    falling = [{"step": 10.0 * i, "l1": 1.0 / i, "held_out_psnr_db": 20.0 + i} for i in range(1, 6)]
    one, two = curves([{"step": check["step"], "l1": check["l1"]} for check in falling]), curves(falling)
    assert two.shape[0] > 1.5 * one.shape[0]
    panel = one[40:240]
    blue = (panel[..., 0] > 150) & (panel[..., 2] < 80)
    rows, columns = np.nonzero(blue)
    left, right = columns < np.quantile(columns, 0.2), columns > np.quantile(columns, 0.8)
    assert rows[left].mean() < rows[right].mean() - 50  # a falling loss falls


def test_a_single_check_is_drawn_too() -> None:
    assert curves([{"step": 5.0, "l1": 0.2}]).shape[2] == 3


def test_the_sheet_shows_input_target_and_drawing(tmp_path: Path) -> None:
    recipe, pairs = make_recipe(), make_pairs(4, 48)
    learner = Learner(recipe, make_fabric("32-true"))
    save_all(tmp_path, [{"step": 1.0, "loss": 0.5}], pairs, learner)
    sheet = cv2.imread(str(tmp_path / "samples.png"))
    assert sheet is not None
    assert sheet.shape == (3 * 48, 4 * 48, 3)
    assert np.array_equal(sheet[:48, :48, ::-1], pairs.before_rgb[0])
    assert np.array_equal(sheet[48:96, 48:96, ::-1], pairs.after_rgb[1])
    assert np.array_equal(sheet[96:, :48, ::-1], next(learner.finished(pairs.before_rgb)))


def test_a_full_disk_does_not_end_the_training_for_a_chart(tmp_path: Path) -> None:
    learner = Learner(make_recipe(), make_fabric("32-true"))
    with full_disk(after_bytes=100):
        save_all(tmp_path, [{"step": 1.0, "loss": 0.5}], make_pairs(4), learner)
    assert list(tmp_path.iterdir()) == []
