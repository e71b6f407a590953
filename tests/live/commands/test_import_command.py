"""`veneer import` from the command line: the trial on the built-in face, and the style in daily use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.cli_parts import call
from support.foreign_networks import Foreign, cyclegan

from benchmarks.common.onnx_writer import fast_style, model, node, tensor
from engines.imports.style_files import restored_on_error
from engines.looks_file import user_file
from engines.style_lookup import own_folder, own_names
from live.diagnostics.doctor import examine

SHAPE = (1, 3, 64, 64)


def test_onnx_network_becomes_a_look(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(fast_style(2, 1, (64, 64)))
    done = call("import", "mine", tmp_path / "net.onnx", "--licence", "CC0")
    assert done.returncode == 0, done.stderr
    assert "net.onnx takes 64x64, nchw, rgb, 0..255 to 0..1" in done.stdout and "ms a call here" in done.stdout
    before_after_bgr = cv2.imread(str(own_folder() / "mine.png"))
    assert before_after_bgr is not None and before_after_bgr.shape == (512, 1024, 3)
    changed = np.abs(before_after_bgr[:, :512].astype(int) - before_after_bgr[:, 512:]).max(2) > 10
    assert changed[80:180, 190:260].mean() > 0.8 and changed[400:].mean() < 0.01  # the face is drawn, and only the head
    (check,) = examine(["engine mine"])
    assert check.ok and "openvino" in check.says and "imported onnx graphs" not in check.do
    assert "64x64" in call("styles").stdout
    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text(done.stdout.partition("looks.toml:\n")[2])
    cv2.imwrite(str(tmp_path / "face.png"), before_after_bgr[:, :512])
    applied = call("apply", tmp_path / "face.png", tmp_path / "drawn.png", "--look", "mine")
    assert applied.returncode == 0 and (tmp_path / "drawn.png").is_file(), applied.stderr


def test_network_that_draws_nothing_is_said(tmp_path: Path) -> None:
    low, high = (tensor(name, np.array(value, np.float32)) for name, value in (("low", 0), ("high", 1)))
    minus = tensor("minus", np.array(-1, np.float32))
    even = [node("Mul", ["x", "minus"], "y"), node("Clip", ["y", "low", "high"], "z")]
    (tmp_path / "net.onnx").write_bytes(model(even, [minus, low, high], {"x": SHAPE}, {"z": SHAPE}))
    done = call("import", "mine", tmp_path / "net.onnx", "--range", "0..1")
    assert done.returncode == 0 and "it draws one even area on the built-in face" in done.stderr
    assert own_names() == ("mine",) and (own_folder() / "mine.png").is_file()


def test_misfits_and_errors_are_lines_on_stderr(tmp_path: Path) -> None:
    torch.save({**Foreign(cyclegan).state, "more": torch.zeros(3)}, tmp_path / "net.pt")
    done = call("import", "mine", tmp_path / "net.pt", "--as", "cyclegan")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines()[0] == "  more of shape 3 is not the generator's"
    assert done.stderr.splitlines()[1].startswith("veneer: checkpoint as cyclegan: 1 of its tensors do not fit")


def test_a_failed_import_leaves_the_earlier_style(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(fast_style(2, 1, (64, 64)))
    assert call("import", "mine", tmp_path / "net.onnx").returncode == 0
    kept = {path.name: path.read_bytes() for path in own_folder().iterdir()}
    done = call("import", "mine", tmp_path / "net.onnx", "--again", "--picture", tmp_path / "a.xyz")
    assert done.returncode == 2 and "unknown kind" in done.stderr
    assert {path.name: path.read_bytes() for path in own_folder().iterdir()} == kept


def test_a_style_is_put_back_after_any_error(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(fast_style(2, 1, (64, 64)))
    assert call("import", "mine", tmp_path / "net.onnx").returncode == 0
    kept = {path.name: path.read_bytes() for path in own_folder().iterdir()}
    for name in ("mine", "new"):
        with pytest.raises(KeyboardInterrupt), restored_on_error(name):
            (own_folder() / f"{name}.json").write_text("{}")
            (own_folder() / f"{name}.onnx").write_bytes(b"half")
            raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in own_folder().iterdir()} == kept


def test_no_code_of_the_current_folder_is_run(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(fast_style(2, 1, (64, 64)))
    for name in ("json", "openvino", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    program = [str(Path(sys.executable).with_name("veneer")), "import", "mine", "net.onnx"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and not (tmp_path / "ran").exists(), done.stderr
