"""The pictures that a run writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from support.kit_parts import full_disk, make_pairs, paired

from engines.training.devices import make_fabric
from engines.training.parts import build_parts
from engines.training.reporting.charts import curves, save_charts


def test_every_loss_and_score_has_its_own_curve() -> None:
    falling = [{"step": 10.0 * i, "l1": 1.0 / i, "held_out_psnr_db": 20.0 + i} for i in range(1, 6)]
    one, two = curves([{"step": check["step"], "l1": check["l1"]} for check in falling]), curves(falling)
    assert two.shape[0] > 1.5 * one.shape[0]
    panel = one[40:240]
    blue = (panel[..., 0] > 150) & (panel[..., 2] < 80)
    rows, columns = np.nonzero(blue)
    left, right = columns < np.quantile(columns, 0.2), columns > np.quantile(columns, 0.8)
    assert rows[left].mean() < rows[right].mean() - 50  # a falling loss falls


def test_a_single_validation_is_drawn() -> None:
    assert curves([{"step": 5.0, "l1": 0.2}]).shape[2] == 3


def test_samples_show_input_target_and_output(tmp_path: Path) -> None:
    method = paired(make_pairs(4, 48), held_out=0.75)
    build_parts(method, make_fabric("32-true"))
    save_charts(tmp_path, [{"step": 1.0, "loss": 0.5}], method.validate().samples)
    sheet = cv2.imread(str(tmp_path / "samples.png"))
    assert sheet is not None
    held_out = method.held_out
    assert sheet.shape == (3 * 48, len(held_out) * 48, 3)
    assert np.array_equal(sheet[:48, :48, ::-1], held_out.before_rgb[0])
    assert np.array_equal(sheet[48:96, 48:96, ::-1], held_out.after_rgb[1])
    assert np.array_equal(sheet[96:, :48, ::-1], next(method.outputs(held_out.before_rgb)))


def test_a_full_disk_does_not_end_the_training(tmp_path: Path) -> None:
    rows = [[np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)]]
    with full_disk(after_bytes=100):
        save_charts(tmp_path, [{"step": 1.0, "loss": 0.5}], rows)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_begins_later_has_a_curve() -> None:
    first = {"step": 10.0, "same": 0.5}
    later = [{"step": step, "same": 0.4, "cycle": 0.3} for step in (20.0, 30.0)]
    assert curves([first, *later]).shape[0] > curves([first, first]).shape[0]
