"""Assembles a run from its options, and reports on it."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2

from engines.errors import OptionsError, VeneerError
from engines.files import check_writable, write_json
from engines.looks import Look, find_look, load_looks
from engines.paths import expanded, pictures_dir, videos_dir
from engines.runtime import autotune_choice
from live.control.control_socket import ControlServer
from live.control.controls import Controls, ControlState
from live.control.hotkeys import command_for_key, help_lines, look_keys
from live.diagnostics.engine_status import in_short, in_words
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.report import run_report
from live.pipeline.viewer_presence import ViewerPresence, can_idle
from live.recording.recorder import Recorder
from live.render.look_loader import LookLoader
from live.sinks.base import FrameSink
from live.sinks.delayed_microphone import MicrophoneDelay
from live.sinks.preview_meter import MeterText
from live.sinks.sink_factory import open_sink
from live.sources.base import FrameSource
from live.sources.idle_source import IdleSource
from live.sources.source_factory import film_path, open_source
from live.tracking.base import FaceTracker
from live.tracking.quiet_stderr import say_line

_MIN_LATENCY_FRAMES = 60  # before the latency is used to delay the sound


def say(line: str) -> None:
    """Print one line for the user on standard error; never raises."""
    say_line(f"veneer: {line}")


def make_tracker(options: LiveOptions) -> FaceTracker:
    """Return the tracker for the options; its models are loaded when it is opened."""
    from live.tracking.face_mesh import FaceMeshTracker

    if options.face_model is None:
        return FaceMeshTracker(max_faces=options.max_faces)
    from live.tracking.face_landmarker import LandmarkerMesh

    new_mesh = functools.partial(LandmarkerMesh, options.face_model)
    return FaceMeshTracker(max_faces=options.max_faces, new_mesh=new_mesh)


class Session:
    """One run, from its options to its report.

    Args:
        source: Used instead of the one in the options; it is never released for lack of viewers.
        sinks: Used instead of those in the options.
        looks: All looks; by default loaded from the looks files.
        on_frame: Called in the rendering thread with every rendered frame.
        ctl: Whether `veneer ctl` can control this run.

    Attributes:
        look: The look that is selected at the start.

    Raises:
        VeneerError: The options contradict each other, or a part cannot be created.
    """

    def __init__(
        self,
        options: LiveOptions,
        *,
        source: FrameSource | None = None,
        sinks: Sequence[FrameSink] | None = None,
        looks: Mapping[str, Look] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        ctl: bool = True,
    ) -> None:
        self.options, self._ctl, self._on_frame = options, ctl, on_frame
        _check_files(options)
        cv2.setNumThreads(1)  # the operations are small; more threads would only compete with the tracker
        with options.naming("report"):
            check_writable("--report", options.report)
        looks = dict(looks) if looks else _load_looks(options)
        with options.naming("look"):
            self.look = find_look(looks, options.look)
        self._look_keys = look_keys(looks)
        self.controls = Controls(tuple(looks), look=options.look, strength=options.strength, mirror=options.mirror)
        with options.naming("sinks"):
            sinks = sinks or [
                open_sink(text, on_key=self._on_key, meter=self._meter, film=film_path(options.source))
                for text in options.sinks
            ]
        source, self._viewers = self._source(source, paced=any(sink.live for sink in sinks))
        for sink in sinks:
            sink.set_viewers(self._viewers, say)
        look_loader = LookLoader(
            looks,
            runtime=options.runtime,
            say=say,
            background=source.live or all(sink.live for sink in sinks),  # a film uses the same engine to its end
            build=options.build,
            has_viewers=self._viewers.watched if self._viewers is not None else None,
        )
        parts = Parts(source, make_tracker(options), sinks, look_loader, self.controls)
        self.pipeline = Pipeline(parts, fps=options.fps, frames=options.frames, say=say, on_frame=self._handle_frame)
        self._recorder = Recorder(
            self.controls,
            say=say,
            fps=options.fps,
            pictures_dir=pictures_dir(),
            videos_dir=videos_dir(),
            lossless=self.pipeline.lossless,
            stopped=self.pipeline.is_stopping,
        )

    def _source(self, given: FrameSource | None, *, paced: bool) -> tuple[FrameSource, ViewerPresence | None]:
        """Return the source, and the presence of viewers if the source is released without them."""
        options = self.options

        def open_chosen() -> FrameSource:
            with options.naming("source"):
                return open_source(options.source, size_wh=options.size_wh, fps=options.fps, pace=paced)

        source = given or open_chosen()
        if given or not can_idle(options, live=source.live):
            return source, None
        viewers = ViewerPresence(self.controls)
        return IdleSource(source, new_source=open_chosen, viewers=viewers, say=say), viewers

    def run(self) -> dict[str, Any]:
        """Run to the end and return the report, which is also written if the options say so, after an error too."""
        with stop_on_signals(self.pipeline.interrupt):  # also while the last files are completed
            try:
                with self._controlled():
                    self.pipeline.run()
            finally:
                self._recorder.close()
                report = run_report(self.pipeline) | {"recorded": self._recorder.counts()}
                write_json("--report", self.options.report, report)
        parts = self.pipeline.parts
        for note in parts.source.notes:
            say(f"{Path(self.options.source).name}: {note}")
        for warning in (parts.source.warning, *(sink.warning for sink in parts.sinks)):
            if warning:
                say(warning)
        return report

    @contextlib.contextmanager
    def _controlled(self) -> Iterator[None]:
        """Run the control socket, the global hotkeys and the sound delay; their errors do not end the run."""
        server = ControlServer(self.controls, status=self._status)
        with contextlib.ExitStack() as stack:
            try:
                if self._ctl:
                    server.start()
                    stack.callback(server.close)
            except (VeneerError, OSError) as error:
                say(f"`veneer ctl` will not work in this run: {error}")
            if self.options.global_hotkeys:
                from live.control import global_hotkeys

                stack.callback(global_hotkeys.listen(self.controls.apply, self._look_keys))
            if self.options.mic_delay:
                delay = MicrophoneDelay(self._latency_ms, say)
                delay.start()
                stack.callback(delay.stop)
            yield

    def _latency_ms(self) -> float | None:
        timings = self.pipeline.timings
        return timings.recent()[1] if timings.frames_out >= _MIN_LATENCY_FRAMES else None

    def _handle_frame(self, frame: Frame, state: ControlState) -> None:
        self._recorder(frame, state)
        if self._on_frame is not None:
            self._on_frame(frame)

    def _on_key(self, key: str) -> None:
        command = command_for_key(key, self._look_keys)
        if command is not None:
            self.controls.apply(command)

    def _status(self) -> dict[str, Any]:
        state, look_loader = self.controls.read(), self.pipeline.parts.look_loader
        rate, p50, p95 = self.pipeline.timings.recent()
        watched = self._viewers is None or self._viewers.watched()
        return {
            "look": state.look,
            "strength": round(state.strength, 2),
            "viewers_see": self.pipeline.shown if watched else "nothing",
            "fps": round(rate, 1),
            "latency_p50_ms": round(p50, 1),
            "latency_p95_ms": round(p95, 1),
            "dropped": self.pipeline.dropped,
            "watched": watched,
            "engines": [in_words(info) for info in look_loader.engines(state.look)],
            "building": look_loader.upgrades.progress(),
        }

    def _meter(self) -> MeterText:
        state, status = self.controls.read(), self._status()
        engines = self.pipeline.parts.look_loader.engines(state.look)
        speed = f"{status['fps']:.0f} fps   {status['latency_p50_ms']:.0f} / {status['latency_p95_ms']:.0f} ms p50/p95"
        lines = (
            f"{speed}   {status['dropped']} dropped",
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
        return MeterText(lines, help_lines(self._look_keys) if state.help_shown else (), banner)


def _load_looks(options: LiveOptions) -> dict[str, Look]:
    """Load all looks, with the region sizes that `veneer calibrate machine` chose for this machine."""
    if stale := autotune_choice.stale_message():
        say(stale)
    return {name: autotune_choice.with_chosen_sizes(look) for name, look in load_looks(options.looks_file).items()}


def _check_files(options: LiveOptions) -> None:
    """Raise OptionsError if a file is both read and written, or written twice."""
    named = [("source", options.source, expanded(options.source))] if options.source != "demo" else []
    named += [("sinks", text, expanded(text.partition(":")[2])) for text in options.sinks if text.startswith("file:")]
    named += [("report", str(options.report), options.report)] if options.report else []
    option_of: dict[Path, str] = {}
    for name, text, path in named:
        option = options.places.get(name, f"--{name.removesuffix('s')} {text}")
        real = Path(os.path.realpath(path))
        if real in option_of:
            raise OptionsError(option, f"it is the same file as {option_of[real]}", "name another one")
        option_of[real] = option


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT, SIGTERM and SIGHUP, so that files are completed and devices released.

    Does nothing outside the main thread, and keeps signals that are ignored (nohup, background jobs) ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
