"""Upgrade results are reported once, and failed builds are not repeated at every start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.upgrade_parts import PATIENCE_S, Show, keyed, ordered, spoilt

from engines.build import failed_builds
from engines.build.build_orders import BuildOrder
from engines.cache.cache_entry import verdict
from engines.looks import Layer, Look
from engines.runtime.base import EngineInfo
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style
from engines.styles import Style
from live.render.look_loader import LookLoader
from live.upgrades import engine_acceptance

LIPS = "lips-glaze"
TORCH = ["torch fp32"]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("crash", "its builder crashed (SIGSEGV)"), ("hang", "its builder took longer than 2 s and was ended")],
)
def test_failed_build_is_skipped_for_its_key(mode: str, reason: str, lock: Path, shows: list[Show]) -> None:
    first = Show([load_style(LIPS)], available_builds=keyed(mode, lock, "k", limit_s=2.0 if mode == "hang" else 600.0))
    shows.append(first)
    assert first.says("is not used: " + reason), first.messages
    (failure,) = failed_builds.all_failures()
    assert str(failure).startswith(f"stand-in of lips-glaze 90x30: {reason} on ")

    second = Show([load_style(LIPS)], available_builds=keyed("good", lock, "k"))
    shows.append(second)
    line = f"not built again: stand-in of lips-glaze before {failure.until}: {reason} on {failure.date}"
    assert second.says(f"{line} (veneer engines build tries now)"), second.messages
    assert second.frames_continue() and second.until(lambda: not second.look_loader.upgrades.is_running())
    assert second.runs_on() == TORCH and len(second.messages) == 1

    third = Show([load_style(LIPS)], available_builds=keyed("good", lock, "another driver's"))
    shows.append(third)
    assert third.says("now runs on"), third.messages
    assert failed_builds.clear_failures(LIPS) == 1  # as `veneer engines build` does
    fourth = Show([load_style(LIPS)], available_builds=keyed("good", lock, "k"))
    shows.append(fourth)
    assert fourth.says("now runs on"), fourth.messages


def test_unavailable_build_is_retried_at_the_next_start(lock: Path, shows: list[Show]) -> None:
    for _ in range(2):
        show = Show([load_style(LIPS)], available_builds=keyed("cannot", lock, "k"))
        shows.append(show)
        assert show.says("NNCF is not installed"), show.messages
        assert failed_builds.all_failures() == []


def test_no_build_lists_what_could_be_built(lock: Path, shows: list[Show]) -> None:
    styles = [load_style(LIPS), load_style("lips-bright")]
    show = Show(styles, available_builds=ordered("good", lock), build=False)
    shows.append(show)
    assert show.says("--no-build"), show.messages
    assert show.frames_continue() and not show.look_loader.upgrades.is_running()
    assert show.runs_on("both") == TORCH * 2 and not lock.exists()
    assert show.messages == [
        "--no-build: these engines could be built and are not: stand-in of lips-glaze, stand-in of lips-bright"
    ]


def test_upgrade_of_a_style_at_two_sizes_names_the_size(lock: Path) -> None:
    large = load_style(LIPS)
    small = replace(large, size_wh=(96, 32))
    mode_of = {large.size_wh: "good", small.size_wh: "crash"}

    def builds(style: Style, info: EngineInfo, runtime: str) -> Sequence[BuildOrder]:
        return ordered(mode_of[style.size_wh], lock)(style, info, runtime)

    messages: list[str] = []
    looks = {"two": Look("two", "", (Layer(large, 0.5), Layer(small, 0.5)))}
    look_loader = LookLoader(looks, runtime="torch", say=messages.append, background=True, available_builds=builds)
    try:
        look_loader.load_all()
        until_s = time.monotonic() + PATIENCE_S
        while look_loader.upgrades.is_running() and time.monotonic() < until_s:
            time.sleep(0.02)
    finally:
        look_loader.close()
    precision = OpenVinoEngine(large).info.precision
    assert messages == [
        f"style lips-glaze 90x30 now runs on openvino {precision}, before on torch fp32",
        "stand-in of lips-glaze 96x32 is not used: its builder crashed (SIGSEGV); torch fp32 stays in use",
    ]


@pytest.mark.parametrize("by", [lambda given: given * np.float32("nan"), lambda given: given + 30])
def test_rejected_engine_in_the_cache_is_not_used_again(
    by: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    lock: Path,
    shows: list[Show],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = OpenVinoEngine(load_style(LIPS)).info
    with monkeypatch.context() as patch:
        patch.setattr(engine_acceptance, "open_engine", spoilt(by))
        show = Show([load_style(LIPS)], available_builds=keyed("good", lock, "k"))
        shows.append(show)
        assert show.says("is not used: it "), show.messages
    assert len(failed_builds.all_failures()) == 1
    assert verdict(before.key).startswith("failed: on the built-in face it ")
    after = open_engine(load_style(LIPS)).info
    assert (after.runtime, after.precision) != (before.runtime, before.precision)
    assert "on the built-in face it" in after.why
