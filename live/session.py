"""Assembles a run from its options, and reports on it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from engines.errors import VeneerError
from engines.extras import missing_module
from engines.files import check_writable, write_json
from engines.looks import Look, find_look
from engines.paths import pictures_dir, videos_dir
from engines.runtime import autotune_choice
from live.control.control_links import control_links
from live.control.controls import Controls, ControlState
from live.control.hotkeys import command_for_key, look_keys
from live.control.stop_signals import stop_on_signals
from live.device_commands import DeviceCommands
from live.diagnostics.run_status import meter_text, run_status
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.report import run_report
from live.pipeline.viewer_presence import ViewerPresence, can_idle
from live.recording.recorder import Recorder
from live.render.look_editor import LookEditor
from live.render.look_loader import LookLoader, Precisions
from live.render.run_looks import load_run_looks
from live.sinks.base import FrameSink
from live.sinks.preview_meter import MeterText
from live.sinks.sink_factory import open_sink
from live.sources.base import FrameSource, SourceInfo
from live.sources.idle_source import IdleSource
from live.sources.source_choice import SourceChoice
from live.sources.source_factory import film_path
from live.tracking.quiet_stderr import say_line
from live.tracking.recogniser import recogniser_for
from live.tracking.tracker_factory import make_tracker

if TYPE_CHECKING:
    from live.panel.control_page import ControlPage

_KEPT_NOTICES = 50


def say(line: str) -> None:
    """Print one line for the user on standard error; never raises."""
    say_line(f"veneer: {line}")


class Session:
    """One run, from its options to its report.

    Args:
        source: Used instead of the one in the options; it is never released for lack of viewers.
        sinks: Used instead of those in the options.
        looks: All looks; by default loaded from the looks files.
        on_frame: Called in the rendering thread with every rendered frame.
        ctl: Whether `veneer ctl` can control this run.
        precisions: See `LookLoader`.
        missing: Errors of outputs that were left out, by what is missing, for the control page. With it, a camera that
            does not open is tried again until it does.

    Attributes:
        source_choice: Which source is used, or is to be used next.
        look: The look that is selected at the start.
        editor: Changes looks while they run.
        devices: Executes the commands for camera, sinks and microphone.
        panel: The control page; None until it is opened.
        notices: The last messages for the user, each with its time in seconds since 1970.

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
        precisions: Precisions | None = None,
        missing: Mapping[str, VeneerError] | None = None,
    ) -> None:
        self._missing = missing
        self.source_choice = SourceChoice.of(options)
        self.options, self._ctl, self._on_frame = options, ctl, on_frame
        self.notices: deque[tuple[float, str]] = deque(maxlen=_KEPT_NOTICES)
        self.panel: ControlPage | None = None
        self._panel_lock = threading.Lock()
        self.idle_source: IdleSource | None = None
        options.check_files()
        cv2.setNumThreads(1)  # the operations are small; more threads would only compete with the tracker
        with options.naming("report"):
            check_writable("--report", options.report)
        looks = dict(looks) if looks else load_run_looks(options, say)
        with options.naming("look"):
            self.look = find_look(looks, options.look)
        recogniser = recogniser_for(looks, self.look, options.network, say=say)
        self.controls = Controls(tuple(looks), look=options.look, strength=options.strength, mirror=options.mirror)
        self.controls.keys = look_keys(looks)
        with options.naming("sinks"):
            sinks = sinks or [
                open_sink(text, on_key=self._on_key, meter=self._meter, film=film_path(options.source))
                for text in options.sinks
            ]
        source, self._viewers = self._source(source, paced=missing is not None or any(sink.live for sink in sinks))
        for sink in sinks:
            sink.set_viewers(self._viewers, self.say)
        background = source.live or all(sink.live for sink in sinks)  # a film uses the same engine to its end
        look_loader = self._new_look_loader(looks, precisions, background=background)
        self.editor = LookEditor(
            self.controls,
            look_loader,
            options.looks_file,
            finished=autotune_choice.with_chosen_sizes,
            on_change=self._look_changed,
        )
        parts = Parts(
            source,
            make_tracker(options, everyone=bool(self.look.names)),
            sinks,
            look_loader,
            self.controls,
            recogniser,
        )
        self.pipeline = Pipeline(
            parts, fps=options.fps, frames=options.frames, say=self.say, on_frame=self._handle_frame
        )
        self.recorder = self._new_recorder()
        self.devices = DeviceCommands(self)

    def _new_look_loader(
        self, looks: Mapping[str, Look], precisions: Precisions | None, *, background: bool
    ) -> LookLoader:
        return LookLoader(
            looks,
            runtime=self.options.runtime,
            say=self.say,
            background=background,
            build=self.options.build,
            precisions=precisions,
            has_viewers=self._viewers.watched if self._viewers is not None else None,
        )

    def _new_recorder(self) -> Recorder:
        return Recorder(
            self.controls,
            say=self.say,
            fps=self.options.fps,
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
                return self.source_choice.open(paced=paced)

        source = given or open_chosen()
        if given or not source.live:
            can_idle(options, live=source.live)
            return source, None
        viewers = ViewerPresence(self.controls) if can_idle(options, live=True) else None
        if viewers is None and not self.source_choice.is_camera:
            return source, None
        assumed = None if self._missing is None else SourceInfo(options.source, options.size_wh, options.fps)
        self.idle_source = IdleSource(source, new_source=open_chosen, viewers=viewers, say=self.say, assumed=assumed)
        return self.idle_source, viewers

    def run(self, *, says_damage: bool = True) -> dict[str, Any]:
        """Run to the end and return the report, which is also written if the options say so, after an error too.

        Args:
            says_damage: Print what was wrong with a source that could be read only in part; otherwise the caller does.
        """
        with stop_on_signals(self.pipeline.interrupt):  # also while the last files are completed
            try:
                with control_links(self, status=self._status, ctl=self._ctl):
                    self.pipeline.run()
            finally:
                self.recorder.close()
                report = run_report(self.pipeline) | {"recorded": self.recorder.counts()}
                write_json("--report", self.options.report, report)
        parts = self.pipeline.parts
        damage = [parts.source.warning] if parts.source.warning and says_damage else []
        for line in [*parts.source.notes, *damage]:
            say(f"{Path(self.options.source).name}: {line}")
        for sink in parts.sinks:
            if sink.warning:
                say(sink.warning)
        return report

    def say(self, line: str) -> None:
        """Print one line for the user, and keep it for the control page."""
        self.notices.append((time.time(), line))
        say(line)

    def sink_names(self) -> list[str]:
        """Return the names of the sinks that can be switched: those of the options, virtual camera and window."""
        return list(dict.fromkeys([*self.options.sinks, "virtual-camera", "window"]))

    def new_sink(self, name: str) -> FrameSink:
        """Create a sink of this run, not yet opened."""
        sink = open_sink(name, on_key=self._on_key, meter=self._meter)
        sink.set_viewers(self._viewers, self.say)
        return sink

    def source_info(self) -> SourceInfo | None:
        """Return the properties of the source; None before it is open."""
        return (self.idle_source.info if self.idle_source is not None else None) or self.pipeline.source_info

    def missing(self) -> dict[str, VeneerError]:
        """Return why the camera or an output does not work, by its name."""
        used = [str(one["sink"]) for one in self.pipeline.sinks.counts()]
        lacking = {what: error for what, error in (self._missing or {}).items() if what not in used}
        problem = self.idle_source.problem if self.idle_source is not None else None
        return ({"camera": problem} if problem is not None else {}) | lacking

    def _look_changed(self, name: str) -> None:
        looks = self.pipeline.parts.look_loader.looks
        self.controls.keys = look_keys({one: looks[one] for one in self.controls.look_names})
        if self.panel is not None and name:
            self.panel.tiles.paint([name])

    def watched(self) -> bool:
        """Whether the output is watched; always, if viewers cannot be counted."""
        return self._viewers is None or self._viewers.watched()

    def readers(self) -> dict[str, int | None]:
        """Return how many programs read each virtual camera; None if unknown."""
        return self._viewers.readers() if self._viewers is not None else {}

    def report_page(self, visible: bool) -> None:
        """Count the preview of the control page as a viewer, or no longer."""
        if self._viewers is not None:
            self._viewers.report("control page", int(visible))

    def open_panel(self, argument: str = "") -> str:
        """Start the control page, once; return a link to it, or what to do on a phone.

        Args:
            argument: "link" for the permanent one, "phone" for that of a phone; otherwise it works once.

        Raises:
            VeneerError: The extra is not installed, no port is free, or the run serves no page for a phone.
        """
        with self._panel_lock:
            if self.panel is None:
                try:
                    from live.panel.control_page import ControlPage
                except ImportError as error:
                    raise missing_module(error) or error from error
                self.panel = ControlPage(self)
        return self.panel.answer(argument)

    def _handle_frame(self, frame: Frame, state: ControlState) -> None:
        self.recorder(frame, state)
        if self.panel is not None:
            self.panel.feed.keep_output(frame)
        if self._on_frame is not None:
            self._on_frame(frame)

    def _on_key(self, key: str) -> None:
        command = command_for_key(key, self.controls.keys)
        if command is not None:
            self.controls.apply(command)

    def _status(self) -> dict[str, Any]:
        return run_status(self.pipeline, watched=self.watched())

    def _meter(self) -> MeterText:
        return meter_text(self.pipeline, self.controls.keys)
