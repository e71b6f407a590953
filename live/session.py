"""Puts a run together from its options, and takes it apart again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2

from engines.errors import OptionsError, VeneerError
from engines.looks import Look, find_look, load_looks
from engines.paths import expanded, pictures_dir, videos_dir
from engines.runtime import autotune_choice
from live.control.control_socket import ControlServer
from live.control.controls import Controls, ControlState
from live.control.hotkeys import command_for_key, help_lines
from live.diagnostics.engine_status import in_short, in_words
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.report import check_writable, run_report, write_report
from live.pipeline.viewer_presence import ViewerPresence, may_rest
from live.recording.recorder import Recorder
from live.render.look_loader import LookLoader
from live.sinks.base import FrameSink
from live.sinks.delayed_microphone import MicrophoneDelay
from live.sinks.preview_meter import MeterText
from live.sinks.sink_factory import open_sink
from live.sources.base import FrameSource
from live.sources.idle_source import IdleSource
from live.sources.source_factory import open_source
from live.tracking.base import FaceTracker
from live.tracking.quiet_stderr import say_line

_MEASURED_FRAMES = 60  # so many say how late the picture is


def say(line: str) -> None:
    """One line for the person at the terminal; never raises, whatever became of the terminal."""
    say_line(f"veneer: {line}")


def make_tracker(options: LiveOptions) -> FaceTracker:
    """The tracker that the options ask for; nothing is loaded yet."""
    if options.face_model is not None:
        from live.tracking.face_landmarker import FaceLandmarkerTracker

        return FaceLandmarkerTracker(options.face_model, max_faces=options.max_faces)
    from live.tracking.face_mesh import FaceMeshTracker

    return FaceMeshTracker(max_faces=options.max_faces)


class Session:
    """One run from options to report.

    Args:
        options: checked options.
        source: a source to use instead of the one the options name; it is not let go of while nobody watches.
        sinks: sinks to use instead of those the options name.
        looks: all looks; read from the files if None.
        on_frame: called in the loop with every finished frame.
        audio_from: file sinks take the sound of this file.
        ctl: whether `veneer ctl` can reach this run.
    """

    def __init__(
        self,
        options: LiveOptions,
        *,
        source: FrameSource | None = None,
        sinks: Sequence[FrameSink] | None = None,
        looks: Mapping[str, Look] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        audio_from: Path | None = None,
        ctl: bool = True,
    ) -> None:
        self.options, self._ctl = options, ctl
        _check_files(options)
        cv2.setNumThreads(1)  # the work on a frame is small: more threads would only take the tracker's core away
        if options.report is not None:
            check_writable(options.report)
        found = dict(looks) if looks else _looks_fitted(options)
        find_look(found, options.look)
        self.controls = Controls(tuple(found), look=options.look, strength=options.strength, mirror=options.mirror)
        sinks = sinks or [
            open_sink(text, on_key=self._on_key, meter=self._meter, audio_from=audio_from) for text in options.sinks
        ]
        source = self._resting(source or self._open_source(sinks), rest=source is None, sinks=sinks)
        capture = Recorder(
            self.controls, say=say, fps=options.fps, pictures_dir=pictures_dir(), videos_dir=videos_dir()
        )
        self._capture, self._also = capture, on_frame
        live = source.live or all(sink.live for sink in sinks)  # a film has time, and keeps one engine to its end
        watched = self._viewers.watched if self._viewers is not None else None
        look_loader = LookLoader(
            found, runtime=options.runtime, say=say, aside=live, build=options.build, watched=watched
        )
        parts = Parts(source, make_tracker(options), sinks, look_loader, self.controls)
        self.pipeline = Pipeline(parts, fps=options.fps, frames=options.frames, say=say, on_frame=self._on_frame)

    def _open_source(self, sinks: Sequence[FrameSink]) -> FrameSource:
        options, pace = self.options, any(sink.live for sink in sinks)
        return open_source(options.source, size_wh=options.size_wh, fps=options.fps, pace=pace)

    def _resting(self, source: FrameSource, *, rest: bool, sinks: Sequence[FrameSink]) -> FrameSource:
        """The source, made to rest while nobody watches where that can be; the sinks are told to say who does."""
        self._viewers: ViewerPresence | None = None
        if rest and may_rest(self.options, live=source.live):
            self._viewers = ViewerPresence(self.controls)
            source = IdleSource(source, new_source=lambda: self._open_source(sinks), viewers=self._viewers, say=say)
        for sink in sinks:
            sink.set_viewers(self._viewers, say)
        return source

    def run(self) -> dict[str, Any]:
        """Run to the end and return the report (also written where the options say).

        Raises:
            VeneerError: why it could not start or go on. The report of what was done is written all the same.
        """
        with stop_on_signals(self.pipeline.interrupt):  # also while the last files are finished
            try:
                with self._controlled():
                    self.pipeline.run()
            finally:
                self._capture.close()
                report = run_report(self.pipeline)
                if self.options.report is not None:
                    write_report(self.options.report, report)
        parts = self.pipeline.parts
        for warning in (parts.source.warning, *(sink.warning for sink in parts.sinks)):
            if warning:
                say(warning)
        return report

    @contextlib.contextmanager
    def _controlled(self) -> Iterator[None]:
        """The control socket, the global keys and the delayed sound. None of them may keep the picture from coming."""
        server = ControlServer(self.controls, status=self._status)
        with contextlib.ExitStack() as stack:
            try:
                if self._ctl:
                    server.start()
                    stack.callback(server.close)
            except (VeneerError, OSError) as error:
                say(f"`veneer ctl` will not work in this run: {error}")
            if self.options.global_hotkeys:
                from live.control.global_hotkeys import GlobalHotkeys

                keys = GlobalHotkeys(self.controls.apply, self.controls.look_names)
                keys.start()
                stack.callback(keys.stop)
            if self.options.mic_delay:
                delay = MicrophoneDelay(self._latency_ms, say)
                delay.start()
                stack.callback(delay.stop)
            yield

    def _latency_ms(self) -> float | None:
        timings = self.pipeline.timings
        return timings.recent()[1] if timings.frames_out >= _MEASURED_FRAMES else None

    def _on_frame(self, frame: Frame, state: ControlState) -> None:
        self._capture(frame, state)
        if self._also is not None:
            self._also(frame)

    def _on_key(self, key: str) -> None:
        command = command_for_key(key, self.controls.look_names)
        if command is not None:
            self.controls.apply(command)

    def _status(self) -> dict[str, Any]:
        state = self.controls.read()
        rate, p50, p95 = self.pipeline.timings.recent()
        engines = self.pipeline.parts.look_loader.engines(state.look)
        return {
            "look": state.look,
            "strength": round(state.strength, 2),
            "panic": state.panic,
            "fps": round(rate, 1),
            "latency_p50_ms": round(p50, 1),
            "latency_p95_ms": round(p95, 1),
            "dropped": self.pipeline.dropped,
            "watched": self._viewers is None or self._viewers.watched(),
            "engines": [in_words(info) for info in engines],
            "building": self.pipeline.parts.look_loader.progress(),
        }

    def _meter(self) -> MeterText:
        state, status = self.controls.read(), self._status()
        engines = self.pipeline.parts.look_loader.engines(state.look)
        first = f"{status['fps']:.0f} fps   {status['latency_p50_ms']:.0f} / {status['latency_p95_ms']:.0f} ms p50/p95"
        lines = (
            f"{first}   {status['dropped']} dropped",
            f"{state.look} {state.strength:.0%}   {in_short(engines)}   H help",
        )
        lines += (status["building"],) if status["building"] else ()
        banners = {
            "panic": state.panic,
            "frozen": state.frozen,
            "recording": state.recording,
            "waiting for the camera": self.pipeline.source_waits,
        }
        banner = ", ".join(name for name, on in banners.items() if on)
        return MeterText(lines, help_lines(self.controls.look_names) if state.help_shown else (), banner)


def _looks_fitted(options: LiveOptions) -> dict[str, Look]:
    """All looks, with their regions at the sizes that `veneer calibrate machine` chose, where it was run here."""
    if stale := autotune_choice.stale_message():
        say(stale)
    return {name: autotune_choice.with_chosen_sizes(look) for name, look in load_looks(options.looks_file).items()}


def _check_files(options: LiveOptions) -> None:
    """No file is read and written, or written twice, in one run.

    Raises:
        OptionsError: one is.
    """
    named = [(f"--source {options.source}", expanded(options.source))] if options.source != "demo" else []
    named += [(f"--sink {s}", expanded(s.partition(":")[2])) for s in options.sinks if s.startswith("file:")]
    named += [(f"--report {options.report}", options.report)] if options.report else []
    seen: dict[Path, str] = {}
    for asked, path in named:
        real = Path(os.path.realpath(path))
        if real in seen:
            raise OptionsError(asked, f"it is the same file as {seen[real]}", "name another one")
        seen[real] = asked


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, a closed terminal and a polite kill end the run in order: files are finished, devices let go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup, a script's job
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
