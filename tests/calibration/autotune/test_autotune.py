"""What this machine does best: measured for real on one look, chosen by stated rules, and read by live."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibration.autotune import autotune, autotune_rules, engine_timing
from calibration.autotune.autotune import MachineTimer, Row, without_repeats
from calibration.autotune.autotune_rules import best_size, choice_of, chosen_of, scaled, sizes, why_not
from calibration.autotune.engine_timing import Timed
from calibration.engine_checks.verdicts import ways
from engines.looks import Look, load_looks
from engines.runtime import autotune_choice
from engines.runtime.autotune_choice import (
    EngineChoice,
    choice_file,
    engine_choice,
    engine_name,
    stale_message,
    with_chosen_sizes,
)
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.styles import Style, load_style


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few calls: the numbers are not looked at."""
    monkeypatch.setattr(engine_timing, "_ROUNDS", 1)
    monkeypatch.setattr(autotune, "_SECONDS", 0.01)
    monkeypatch.setattr(autotune, "_LOOK_SECONDS", 0.01)


def own_styles(look: Look) -> list[Style]:
    return [layer.style for layer in look.layers if isinstance(layer.style, Style)]


def test_a_look_is_measured_and_live_runs_it_as_chosen(built_in_set: Path, quick: None) -> None:
    looks = load_looks()
    said: list[str] = []
    report = MachineTimer(fps=5, say=said.append).measure([looks["matte-red"], looks["glaze"]])
    (chosen,) = [row for row in report.rows if not row.turned_down]
    assert chosen.engine == "lips-glaze 90x30" and chosen.time is not None
    timed = [row for row in report.rows if row.time is not None]
    assert {"openvino fp32", "torch fp32 on the CPU"} <= {row.way for row in timed}
    assert chosen.time.median_ms <= autotune_rules._ALIKE * min(row.time.median_ms for row in timed if row.time)
    style = load_style("lips-glaze")
    accounted = {row.way for row in report.rows if row.time is not None or row.turned_down}
    assert accounted >= {way.name for way in ways(style)}, "each way has a time, or a reason"
    (look,) = report.looks
    assert (look.look, look.sizes, look.chosen) == ("glaze", "90x30", True) and look.time.median_ms > 0
    assert report.file == choice_file() and stale_message() == ""
    choice = engine_choice(style)
    assert choice is not None and f"{choice.runtime} {choice.precision}" in chosen.way
    assert (choice.threads, choice.median_ms) == (chosen.threads, chosen.time.median_ms)
    if choice.runtime == "openvino":
        assert OpenVinoEngine(style).info.precision == choice.precision
    assert json.loads(json.dumps(report.as_dict()))["looks"][0]["look"] == "glaze"


def written(style: Style, precision: str = "fp32", look: Look | None = None) -> None:
    entry = autotune_choice.engine_entry(style, EngineChoice("openvino", precision, 1, 1.0, 2.0))
    looks = {look.name: autotune_choice.look_entry(look)} if look else {}
    autotune_choice.write({engine_name(style): entry}, looks)


def test_openvino_runs_in_the_precision_that_was_measured_as_the_best() -> None:
    style = load_style("lips-glaze")
    written(style)
    info = OpenVinoEngine(style).info
    assert info.precision == "fp32" and "measured as the fastest here" in info.why
    written(style, "int8")
    assert OpenVinoEngine(style).info.precision != "int8", "INT8 that is gone is no reason to stop"


def test_a_choice_for_another_machine_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    style, look = load_style("toon"), scaled(load_looks()["toon"], 0.5)
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


def test_a_choice_for_other_weights_or_another_size_says_nothing(tmp_path: Path) -> None:
    style = load_style("toon")
    written(style)
    assert engine_choice(replace(style, size_wh=(128, 128))) is None
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    assert engine_choice(replace(style, weights=other)) is None
    assert engine_choice(replace(style, weights=tmp_path / "gone")) is None


@pytest.mark.parametrize("harm", ["", "[", "[]", '{"engines": 3}', '{"engines": {"toon 256x256": []}, "looks": 7}'])
def test_a_damaged_choice_is_no_harm(harm: str) -> None:
    style, look = load_style("toon"), load_looks()["toon"]
    written(style, look=look)
    kept = choice_file().read_text()
    machine_part: dict[str, Any] = {"machine": json.loads(kept)["machine"]}
    text = json.dumps({**machine_part, **json.loads(harm)}) if harm.startswith("{") else harm
    choice_file().write_text(text)
    assert engine_choice(style) is None and with_chosen_sizes(look) == look


def test_regions_are_made_smaller_but_lips_and_never_larger() -> None:
    look = load_looks()["toon-glaze"]
    small = scaled(look, 0.5)
    assert sizes(look) == "90x30, 448x256, 256x256" and sizes(small) == "90x30, 224x128, 128x128"
    assert sizes(scaled(look, 0.75)) == "90x30, 320x192, 192x192" and scaled(look, 1.0) == look
    written(own_styles(look)[-1], look=small)
    assert sizes(with_chosen_sizes(look)) == sizes(small)
    text = json.loads(choice_file().read_text())
    text["looks"]["toon-glaze"]["layers"][1]["size_wh"] = [4096, 4096]
    choice_file().write_text(json.dumps(text))
    assert with_chosen_sizes(look) == look
    other = replace(look, layers=look.layers[1:])
    assert with_chosen_sizes(other) == other, "a look that was written anew since"


def test_of_what_is_alike_the_fewer_threads_and_the_more_precise_are_chosen() -> None:
    def found(**ms: float) -> dict[tuple[str, int], Timed]:
        names = {"i": "openvino int8", "b": "openvino bf16", "f": "openvino fp32"}
        return {(names[key[0]], int(key[1])): Timed(value, value) for key, value in ms.items()}

    assert chosen_of(found(i1=2.0, b1=2.9, b2=1.5)) == ("openvino bf16", 2)
    assert chosen_of(found(i1=1.52, b1=2.9, b2=1.5)) == ("openvino int8", 1)
    timed = found(i2=1.5, b2=1.52, b1=3.0, f2=1.9)
    timed["torch fp32 on the CPU", 0] = Timed(1.51, 1.51)
    best = chosen_of(timed)
    assert best == ("openvino bf16", 2)
    said = {f"{way} {threads}": why_not(timed, (way, threads), best) for way, threads in timed}
    assert said == {
        "openvino bf16 2": "",
        "openvino int8 2": "as fast as the chosen, but less precise",
        "torch fp32 on the CPU 0": "as fast as the chosen, but on more threads",
        "openvino fp32 2": "1.25 times the time of the chosen",
        "openvino bf16 1": "1.97 times the time of the chosen",
    }
    choice = choice_of(timed, best)
    assert (choice.runtime, choice.precision, choice.threads, choice.on_gpu) == ("openvino", "bf16", 2, False)
    assert choice.rejected == (
        "openvino int8 1.50 ms",
        "torch fp32 on the CPU 1.51 ms",
        "openvino fp32 1.90 ms",
    ), "each way once, at its best number of threads"
    assert choice_of({("torch fp16", 0): Timed(1, 1)}, ("torch fp16", 0)).on_gpu


def test_what_no_engine_can_have_is_said_once_and_first() -> None:
    gone, bad = "there is no NVIDIA driver on this machine", "calibration failed: mean dE 1.2, at most 1.0"
    timed = Timed(1.0, 2.0)
    rows = [Row("toon", "tensorrt fp16", 0, None, gone), Row("toon", "openvino bf16", 1, timed, "")]
    assert without_repeats(rows) == rows, "one engine: it stands with it"
    rows += [Row("soft", "tensorrt fp16", 0, None, gone), Row("soft", "openvino int8", 0, None, bad)]
    rows += [Row("soft", "openvino bf16", 1, timed, "")]
    assert without_repeats(rows) == [Row("", "tensorrt fp16", 0, None, gone), rows[1], rows[3], rows[4]]


def test_the_largest_size_that_holds_is_chosen_and_a_smaller_one_must_be_worth_it() -> None:
    def best(*p95_ms: float) -> int:
        return best_size([Timed(p95, p95) for p95 in p95_ms], 10)

    assert best(9, 5, 3) == 0
    assert best(12, 9, 3) == 1
    assert best(40, 30, 20) == 2
    assert best(40, 39, 38) == 0


def test_what_was_measured_before_of_other_looks_stays() -> None:
    toon, soft = load_looks()["toon"], load_looks()["soft"]
    written(load_style("toon"), "bf16", scaled(toon, 0.5))
    written(load_style("soft"), "int8", scaled(soft, 0.75))
    written(load_style("toon"), "fp32")
    assert {choice.precision for name in ("toon", "soft") if (choice := engine_choice(load_style(name)))} == {
        "fp32",
        "int8",
    }
    assert with_chosen_sizes(toon) == scaled(toon, 0.5) and with_chosen_sizes(soft) == scaled(soft, 0.75)


def test_ctrl_c_while_it_is_written_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    written(load_style("toon"), "bf16")
    before = choice_file().read_text()
    for failing in ("write_text", "replace"):

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, failing, interrupted)
            with pytest.raises(KeyboardInterrupt):
                written(load_style("toon"), "fp32")
        assert choice_file().read_text() == before
        assert [path.name for path in choice_file().parent.iterdir()] == ["machine.json"]


def test_ctrl_c_in_the_middle_keeps_the_looks_that_are_done(
    built_in_set: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = load_looks()
    toon = scaled(looks["toon"], 0.5)
    written(load_style("toon"), "bf16", toon)

    def interrupted(timer: MachineTimer, look: Look) -> Timed:
        if look.name == "bright":
            raise KeyboardInterrupt
        return painting(timer, look)

    painting = MachineTimer._painting
    monkeypatch.setattr(MachineTimer, "_painting", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        MachineTimer(fps=5, say=said.append).measure([looks["glaze"], looks["bright"]])
    kept = json.loads(choice_file().read_text())
    assert set(kept["looks"]) == {"toon", "glaze"} and kept["looks"]["glaze"]["fps"] == 5
    assert engine_choice(load_style("lips-glaze")) is not None and with_chosen_sizes(looks["toon"]) == toon
    assert said[-1] == "look bright, 2 of 2: painting at 90x30"
    assert any(line.startswith("look glaze, 1 of 2: lips-glaze 90x30 openvino ") for line in said)
