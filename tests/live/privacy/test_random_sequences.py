"""Random sequences of commands and faults: with a covering look selected, no frame shows the bare face.

The pipeline, its threads, the person segmenter, the recording, its file and the face are real. The faults are random,
and the same for the same seed; only the timing of the threads differs between runs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.never_bare_judge import LARGE_WH, SMALL_WH, Judge, JudgedSink, WatchedControls, scenes
from support.never_bare_parts import TroubledLookLoader, TroubledSource, TroubledTracker, Troubles, the_looks
from support.pipeline_parts import in_background
from support.sink_clips import read_pictures

import live.recording.recorder
from live.control.controls import Command, ControlState
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Frame, ImageU8
from live.pipeline.pipeline import Parts, Pipeline
from live.recording.recorder import Recorder
from live.sinks.video_file import VideoFileSink
from live.tracking.person_segmenter import PersonSegmenter

FPS = 60.0
STEPS = 45
UNSURE = ["nan", "collapsed", "twisted", "huge", "short", "away", "tiny"]
ENGINES = ["nan", "raises", "breaks", "flat", "narrow", "short", "bytes", "nothing"]


class Sequence:
    """One run, and the commands and faults that are applied to it."""

    def __init__(self, seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng, self.troubles, looks = random.Random(seed), Troubles(), the_looks()
        self.judge = Judge(looks)
        first = self.rng.choice(list(looks))
        self.controls = WatchedControls(tuple(looks), look=first)
        self.messages: list[str] = []
        self.asked_pictures: list[ControlState] = []
        self.films: list[tuple[Path, list[ControlState]]] = []
        self._watch_files(monkeypatch)
        self._break_segmenter(monkeypatch)
        broken = self.rng.choice([name for name in looks if name not in (first, "toon")])
        look_loader = TroubledLookLoader(looks, self.troubles, slow_s=self.rng.choice([0.0, 0.2, 0.5]), broken=broken)
        self.sinks = [
            JudgedSink(self.judge, self.controls, name="camera", live=True, main_thread=False),
            JudgedSink(self.judge, self.controls, name="film", live=False, main_thread=False),
            JudgedSink(self.judge, self.controls, name="window", live=True, main_thread=True),
        ]
        self.capture = Recorder(
            self.controls,
            say=self.messages.append,
            fps=FPS,
            pictures_dir=folder / "pictures",
            videos_dir=folder / "videos",
        )
        source = TroubledSource(self.troubles, interval_s=1 / FPS)
        parts = Parts(source, TroubledTracker(self.troubles), self.sinks, look_loader, self.controls)
        self.run = Pipeline(parts, fps=FPS, say=self.messages.append, on_frame=self._on_frame)
        self.pictures = folder / "pictures"

    def _on_frame(self, frame: Frame, state: ControlState) -> None:
        self.judge.judge("snapshot", frame.bgr, state, gated=False)
        self.capture(frame, state)

    def _watch_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        films, controls = self.films, self.controls

        class WatchedFile(VideoFileSink):
            """The real recording; notes the control state of each frame."""

            def __init__(self, path: Path, *, reserved: bool = False) -> None:
                super().__init__(path, reserved=reserved)
                self.states: list[ControlState] = []
                films.append((path, self.states))

            def send(self, frame: Frame) -> None:
                super().send(frame)
                self.states.append(controls.seen.state)

        monkeypatch.setattr(live.recording.recorder, "VideoFileSink", WatchedFile)
        monkeypatch.setattr(live.recording.recorder, "STOP_TIMEOUT_S", 60.0)  # films are checked when complete

    def _break_segmenter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real, troubles = PersonSegmenter.mask, self.troubles

        def mask(self: PersonSegmenter, frame_bgr: ImageU8) -> ImageU8:
            if troubles.segmenter == "raises":
                raise RuntimeError("graph is broken")
            found = real(self, frame_bgr)
            return found * 0 if troubles.segmenter == "empty" else found

        monkeypatch.setattr(PersonSegmenter, "mask", mask)

    def play(self) -> None:
        """Start the run, apply the random steps, and end it."""
        thread, errors = in_background(self.run)
        assert self._wait(lambda: self.sinks[0].frames > 0), self.messages
        for step in range(STEPS):
            if step % 9 == 0:
                self._covered()
            else:
                self.rng.choices([self._command, self._trouble, self._calm], [5, 6, 2])[0]()
        self.run.stop()
        thread.join(10)
        self.capture.close()
        assert not thread.is_alive()
        assert errors == []
        assert all("\n" not in line for line in self.messages)
        assert all(sink.closed == sink.opened == 1 for sink in self.sinks)

    def _command(self) -> None:
        rng = self.rng
        verb, argument = rng.choice(
            [("look", rng.choice(self.controls.look_names))] * 5
            + [("strength", rng.choice([1.0, 1.0, 0.8, 0.0])), ("snapshot", None), ("mirror", None)]
            + [(switch, rng.choice(["on", "off", "off"])) for switch in ("panic", "freeze", "record")]
            + [("record", "on")]
        )
        self.controls.apply(Command(verb, argument))
        time.sleep(rng.choice([0.0, 0.03, 0.1]))

    def _trouble(self) -> None:
        rng, troubles = self.rng, self.troubles
        what: str = rng.choice(["faces", "people", "size", "tracker", "late", "engine", "segmenter", "source"])
        if what == "faces":
            troubles.faces = rng.choice(["lost", "one lost", "one lost", *UNSURE])
        elif what == "people":
            troubles.people = 3 - troubles.people
        elif what == "size":
            troubles.size_wh = LARGE_WH if troubles.size_wh == SMALL_WH else SMALL_WH
        elif what == "tracker":
            troubles.tracker_s = rng.choice([0.05, 0.7])
        elif what == "late":
            troubles.engine_s = rng.choice([0.05, 0.7])
        elif what == "engine":
            troubles.engine = rng.choice(ENGINES)
        elif what == "segmenter":
            troubles.segmenter = rng.choice(["raises", "empty"])
        else:
            troubles.source = rng.choice(["gone", "empty", "read-only", "turned"])
        time.sleep(rng.choice([0.02, 0.06, 0.12]))
        if rng.random() < 0.5:
            self._calm(wait_s=0.0)

    def _calm(self, wait_s: float = 0.1) -> None:
        """Remove all faults."""
        people, size_wh = self.troubles.people, self.troubles.size_wh
        self.troubles.__init__()  # type: ignore[misc]
        self.troubles.people, self.troubles.size_wh = people, size_wh
        time.sleep(wait_s)

    def _covered(self) -> None:
        """Remove all faults and select a covering look, so that there is a drawing to hold at the next fault."""
        self._calm(wait_s=0.0)
        for verb, argument in (("panic", "on"), ("freeze", "off"), ("strength", 1.0), ("look", "toon")):
            self.controls.apply(Command(verb, argument))
        assert self._shown("card", 2), self.messages
        self.controls.apply(Command("panic", "off"))
        assert self._shown("drawn", 6), self.messages

    def _shown(self, kind: str, count: int) -> bool:
        """Wait until so many more frames of that kind were output."""
        judged = self.judge.judged
        before = judged[kind]
        return self._wait(lambda: judged[kind] >= before + count)

    def _wait(self, until: Callable[[], Any], timeout_s: float = 20.0) -> bool:
        end_s = time.monotonic() + timeout_s
        while not until() and time.monotonic() < end_s:
            time.sleep(0.01)
        return bool(until())


@pytest.fixture(scope="module", autouse=True)
def _scenes_are_made() -> None:
    for size_wh in (SMALL_WH, LARGE_WH):
        for people in (1, 2):
            scenes(size_wh, people)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # not errors outside the tests
@pytest.mark.parametrize("seed", range(7))
def test_no_bare_frame_is_output(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = Sequence(seed, tmp_path, monkeypatch)
    sequence.play()
    judge = sequence.judge
    for path, states in sequence.films:
        shown = read_pictures(path)[0] if path.exists() else []
        assert len(shown) == len(states), f"{path.name} holds every frame"
        for picture, state in zip(shown, states, strict=True):
            judge.judge("recording", picture, state)
    for path in sequence.pictures.glob("*.png"):
        assert read_picture(path).size
    assert judge.violations == []
    assert judge.judged["drawn"] >= 30 and judge.judged["card"] >= 10, "too few frames were judged"
