"""Invalid arguments to any benchmark: one line and exit code 2, before anything is measured or written."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from support.benchmark_parts import code_of

from benchmarks import tracking
from benchmarks.common.arguments import run_main
from engines.errors import OptionsError, SourceError
from live.session import Session

_MANY = [
    ("soak now", "unrecognized arguments: now"),
    ("soak --minutes 0", "'0' is not a number from"),
    ("soak --minutes nan", "'nan' is not a number"),
    ("soak --every-s 0", "'0' is not a number from 0.05 to 3600"),
    ("soak --fps -30", "'-30' is not a number from 1 to 240"),
    ("soak --out /no/such/folder/soak", "there is no folder /no/such/folder - create it first"),
    ("soak --out .", "it names no file"),
    ("soak --size huge", "--size huge: not a size - write WIDTHxHEIGHT"),
    ("soak --look glase", "did you mean 'glaze'"),
    ("latency --frames 1e3", "'1e3' is not an integer"),
    ("latency --frames 0", "'0' is not an integer from 1 to"),
    ("latency --burn-in -1", "'-1' is not an integer from 0 to"),
    ("latency --frames 70000", "'70000' is not an integer"),
    ("latency --fps inf", "'inf' is not a number"),
    ("latency --size 5", "--size 5: not a size"),
    ("latency --look glaze --look glase", "did you mean 'glaze'"),
    ("latency --json /no/such/folder/x.json", "there is no folder"),
    ("latency --camera /dev/video7", "only one of them is named"),
    ("tracking /no/such/clip.mp4", "there is no such file - check the name"),
    ("tracking --json /no/such/folder/x.json", "there is no folder"),
    ("upgrade --look glase", "did you mean 'glaze'"),
    ("upgrade --control 0", "'0' is not a number from 6 to"),
    ("upgrade --limit forever", "'forever' is not a number"),
    ("upgrade --out /no/such/folder/x.json", "there is no folder"),
]


@pytest.mark.parametrize(("command", "line"), _MANY, ids=[command for command, _ in _MANY])
def test_invalid_arguments_are_reported_in_one_line(
    command: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "run", lambda self: pytest.fail("it measured"))
    monkeypatch.setattr(sys, "argv", command.split())
    prog = command.split()[0]
    assert code_of(prog, importlib.import_module(f"benchmarks.{prog}").main) == 2
    printed, said = capsys.readouterr()
    assert said.startswith(f"{prog}: ") and line in said and said.count("\n") == 1 and printed == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OptionsError("--x 5", "too many", "use 4"), 2, "soak: --x 5: too many - use 4"),
        (OSError(28, "No space left on device", "soak.csv"), 2, "soak: soak.csv: No space left on device"),
        (KeyboardInterrupt(), 130, "soak: stopped"),
    ],
)
def test_errors_end_with_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    assert run_main("soak", main) == code
    assert capsys.readouterr().err == f"{line}\n"
    assert (run_main("soak", lambda: None), run_main("soak", lambda: 1)) == (0, 1)


def test_clip_without_faces_is_rejected() -> None:
    frames, stamps_s = [tracking.scene((2000.0, 0.0), None)] * 3, [0.0, 0.1, 0.2]
    with pytest.raises(
        SourceError, match=r"wall\.mp4: a face on 0 of 3 frames - name a clip with a face on at least 24 frames"
    ):
        tracking.tracks("wall.mp4", frames, stamps_s)
