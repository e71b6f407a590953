"""Autotuning: measurement of a real look, selection rules, and use of the selection by the live program."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibration.autotune import autotune, autotune_rules
from calibration.autotune.autotune import Autotuner, EngineTiming, merge_common_rows
from calibration.autotune.autotune_rules import (
    make_choice,
    region_sizes,
    rejection_reason,
    scale_look,
    select_backend,
    select_scale,
)
from calibration.engine_checks.verdicts import backends
from engines.looks import Look
from engines.looks_file import load_looks
from engines.runtime import autotune_choice, call_times
from engines.runtime.autotune_choice import (
    EngineChoice,
    choice_file,
    engine_choice,
    engine_name,
    stale_message,
    with_chosen_sizes,
)
from engines.runtime.call_times import CallTime
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.style_lookup import load_style
from engines.styles import Style


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the measurement; the times are not checked."""
    monkeypatch.setattr(call_times, "_ROUNDS", 1)
    monkeypatch.setattr(autotune, "_ENGINE_S", 0.01)
    monkeypatch.setattr(autotune, "_LOOK_S", 0.01)


def own_styles(look: Look) -> list[Style]:
    return [layer.style for layer in look.layers if isinstance(layer.style, Style)]


def test_measured_look_runs_with_the_selected_engine(built_in_set: Path, quick: None) -> None:
    looks = load_looks()
    said: list[str] = []
    report = Autotuner(fps=5, say=said.append).measure([looks["matte-red"], looks["glaze"]])
    (chosen,) = [row for row in report.engines if not row.rejected]
    assert chosen.engine == "lips-glaze 90x30" and chosen.time is not None
    timed = [row for row in report.engines if row.time is not None]
    assert {"openvino fp32", "torch fp32 on the CPU"} <= {row.backend for row in timed}
    assert chosen.time.median_ms <= autotune_rules._EQUAL_RATIO * min(row.time.median_ms for row in timed if row.time)
    style = load_style("lips-glaze")
    accounted = {row.backend for row in report.engines if row.time is not None or row.rejected}
    assert accounted >= {backend.name for backend in backends(style)}, "each backend has a time or a reason"
    (look,) = report.looks
    assert (look.look, look.sizes, look.chosen) == ("glaze", "90x30", True) and look.time.median_ms > 0
    assert report.file == choice_file() and stale_message() == ""
    choice = engine_choice(style)
    assert choice is not None and f"{choice.runtime} {choice.precision}" in chosen.backend
    assert (choice.threads, choice.median_ms) == (chosen.threads, chosen.time.median_ms)
    if choice.runtime == "openvino":
        assert OpenVinoEngine(style).info.precision == choice.precision
    assert json.loads(json.dumps(report.as_dict()))["looks"][0]["look"] == "glaze"


def written(style: Style, precision: str = "fp32", look: Look | None = None) -> None:
    entry = autotune_choice.engine_entry(style, EngineChoice("openvino", precision, 1, 1.0, 2.0))
    looks = {look.name: autotune_choice.look_entry(look)} if look else {}
    autotune_choice.write({engine_name(style): entry}, looks)


def test_openvino_uses_the_selected_precision() -> None:
    style = load_style("lips-glaze")
    written(style)
    info = OpenVinoEngine(style).info
    assert info.precision == "fp32" and "measured as the fastest here" in info.why
    written(style, "int8")
    assert OpenVinoEngine(style).info.precision != "int8", "a missing INT8 engine is not an error"


def test_selection_of_another_machine_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    style, look = load_style("toon"), scale_look(load_looks()["toon"], 0.5)
    written(style, look=look)
    assert engine_choice(style) is not None and stale_message() == ""
    here = autotune_choice.fingerprint()
    monkeypatch.setattr(autotune_choice, "fingerprint", lambda: {**here, "processor": "another"})
    assert engine_choice(style) is None
    assert with_chosen_sizes(load_looks()["toon"]) == load_looks()["toon"]
    assert (
        "another processor" in stale_message()
        and "veneer calibrate machine" in stale_message()
        and "\n" not in stale_message()
    )


def test_selection_for_other_weights_or_size_is_ignored(tmp_path: Path) -> None:
    style = load_style("toon")
    written(style)
    assert engine_choice(replace(style, size_wh=(128, 128))) is None
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    assert engine_choice(replace(style, weights=other)) is None
    assert engine_choice(replace(style, weights=tmp_path / "gone")) is None


@pytest.mark.parametrize("harm", ["", "[", "[]", '{"engines": 3}', '{"engines": {"toon 256x256": []}, "looks": 7}'])
def test_damaged_selection_file_is_ignored(harm: str) -> None:
    style, look = load_style("toon"), load_looks()["toon"]
    written(style, look=look)
    kept = choice_file().read_text()
    machine_part: dict[str, Any] = {"machine": json.loads(kept)["machine"]}
    text = json.dumps({**machine_part, **json.loads(harm)}) if harm.startswith("{") else harm
    choice_file().write_text(text)
    assert engine_choice(style) is None and with_chosen_sizes(look) == look


def test_regions_shrink_except_lips_and_never_grow() -> None:
    look = load_looks()["toon-glaze"]
    small = scale_look(look, 0.5)
    assert region_sizes(look) == "90x30, 256x144, 192x192" and region_sizes(small) == "90x30, 128x64, 96x96"
    assert region_sizes(scale_look(look, 0.75)) == "90x30, 192x96, 128x128" and scale_look(look, 1.0) == look
    written(own_styles(look)[-1], look=small)
    assert region_sizes(with_chosen_sizes(look)) == region_sizes(small)
    text = json.loads(choice_file().read_text())
    text["looks"]["toon-glaze"]["layers"][1]["size_wh"] = [4096, 4096]
    choice_file().write_text(json.dumps(text))
    assert with_chosen_sizes(look) == look
    other = replace(look, layers=look.layers[1:])
    assert with_chosen_sizes(other) == other, "the layers of the look have changed"


def test_equal_times_prefer_fewer_threads_then_precision() -> None:
    def found(**ms: float) -> dict[tuple[str, int], CallTime]:
        names = {"i": "openvino int8", "b": "openvino bf16", "f": "openvino fp32"}
        return {(names[key[0]], int(key[1])): CallTime(value, value) for key, value in ms.items()}

    assert select_backend(found(i1=2.0, b1=2.9, b2=1.5)) == ("openvino bf16", 2)
    assert select_backend(found(i1=1.52, b1=2.9, b2=1.5)) == ("openvino int8", 1)
    timed = found(i2=1.5, b2=1.52, b1=3.0, f2=1.9)
    timed["torch fp32 on the CPU", 0] = CallTime(1.51, 1.51)
    best = select_backend(timed)
    assert best == ("openvino bf16", 2)
    said = {f"{way} {threads}": rejection_reason(timed, (way, threads), best) for way, threads in timed}
    assert said == {
        "openvino bf16 2": "",
        "openvino int8 2": "as fast as the selected backend, but less precise",
        "torch fp32 on the CPU 0": "as fast as the selected backend, but uses more threads",
        "openvino fp32 2": "1.25 times as slow as the selected backend",
        "openvino bf16 1": "1.97 times as slow as the selected backend",
    }
    choice = make_choice(timed, best)
    assert (choice.runtime, choice.precision, choice.threads, choice.on_gpu) == ("openvino", "bf16", 2, False)
    assert choice.rejected == (
        "openvino int8 1.50 ms",
        "torch fp32 on the CPU 1.51 ms",
        "openvino fp32 1.90 ms",
    ), "each backend once, with its best number of threads"
    assert make_choice({("torch fp16", 0): CallTime(1, 1)}, ("torch fp16", 0)).on_gpu


def test_common_rejections_are_merged_and_come_first() -> None:
    gone, bad = "there is no NVIDIA driver on this machine", "calibration failed: mean dE 1.2, at most 1.0"
    timed = CallTime(1.0, 2.0)
    rows = [EngineTiming("toon", "tensorrt fp16", 0, None, gone), EngineTiming("toon", "openvino bf16", 1, timed, "")]
    assert merge_common_rows(rows) == rows, "rows of a single engine are not merged"
    rows += [EngineTiming("soft", "tensorrt fp16", 0, None, gone), EngineTiming("soft", "openvino int8", 0, None, bad)]
    rows += [EngineTiming("soft", "openvino bf16", 1, timed, "")]
    assert merge_common_rows(rows) == [EngineTiming("", "tensorrt fp16", 0, None, gone), rows[1], rows[3], rows[4]]


def test_largest_region_size_within_budget_is_selected() -> None:
    def best(*p95_ms: float) -> int:
        return select_scale([CallTime(p95, p95) for p95 in p95_ms], 10)

    assert best(9, 5, 3) == 0
    assert best(12, 9, 3) == 1
    assert best(40, 30, 20) == 2
    assert best(40, 39, 38) == 0


def test_earlier_results_of_other_looks_are_kept() -> None:
    toon, soft = load_looks()["toon"], load_looks()["soft"]
    written(load_style("toon"), "bf16", scale_look(toon, 0.5))
    written(load_style("soft"), "int8", scale_look(soft, 0.75))
    written(load_style("toon"), "fp32")
    assert {choice.precision for name in ("toon", "soft") if (choice := engine_choice(load_style(name)))} == {
        "fp32",
        "int8",
    }
    assert with_chosen_sizes(toon) == scale_look(toon, 0.5) and with_chosen_sizes(soft) == scale_look(soft, 0.75)


def test_ctrl_c_during_write_keeps_the_previous_file(monkeypatch: pytest.MonkeyPatch) -> None:
    written(load_style("toon"), "bf16")
    before = choice_file().read_text()
    for failing in ("write_bytes", "replace"):

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, failing, interrupted)
            with pytest.raises(KeyboardInterrupt):
                written(load_style("toon"), "fp32")
        assert choice_file().read_text() == before
        assert [path.name for path in choice_file().parent.iterdir()] == ["machine.json"]


def test_ctrl_c_keeps_completed_looks(built_in_set: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = load_looks()
    toon = scale_look(looks["toon"], 0.5)
    written(load_style("toon"), "bf16", toon)

    def interrupted(timer: Autotuner, look: Look) -> CallTime:
        if look.name == "bright":
            raise KeyboardInterrupt
        return painting(timer, look)

    painting = Autotuner._time_painting
    monkeypatch.setattr(Autotuner, "_time_painting", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        Autotuner(fps=5, say=said.append).measure([looks["glaze"], looks["bright"]])
    kept = json.loads(choice_file().read_text())
    assert set(kept["looks"]) == {"toon", "glaze"} and kept["looks"]["glaze"]["fps"] == 5
    assert engine_choice(load_style("lips-glaze")) is not None and with_chosen_sizes(looks["toon"]) == toon
    assert said[-1] == "look bright, 2 of 2: painting at 90x30"
    assert any(line.startswith("look glaze, 1 of 2: lips-glaze 90x30 openvino ") for line in said)
