"""Renders looks onto single pictures."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from engines.errors import EngineError, VeneerError
from engines.looks import Look
from engines.runtime.base import EngineInfo
from engines.text import one_line
from live.options import ApplyOptions
from live.picture_files.picture_reader import PictureFile
from live.picture_files.picture_writer import picture_format, save_picture
from live.pipeline.frame import Frame, TrackedFrame
from live.render.look_loader import LookLoader, Precisions
from live.render.painter import Painter
from live.render.privacy_policy import UNTRACKED, PrivacyPolicy, fallback_in_words
from live.session import say
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.hand_finder import HandFinder
from live.tracking.person_finder import PersonFinder
from live.tracking.recogniser import recogniser_for


class PictureRenderer:
    """Renders one look onto picture files; the tracker and the engines are loaded once.

    Attributes:
        stages_s: Seconds of the stages of the last picture.
    """

    def __init__(self, options: ApplyOptions, look: Look, *, precisions: Precisions | None = None) -> None:
        self._look_loader = LookLoader({look.name: look}, runtime=options.runtime, say=say, precisions=precisions)
        self._loaded = self._look_loader.load(look.name)
        self._recogniser = recogniser_for({look.name: look}, look, options.network, still=True)
        self._tracker = FaceMeshTracker(max_faces=options.max_faces, still=True)
        self._person_finder, self._policy = PersonFinder(still=True), PrivacyPolicy()
        self._hand_finder = HandFinder(still=True)
        self._strength, self._replace = options.strength, not options.no_clobber
        self.stages_s: dict[str, float] = {}

    def engines(self) -> tuple[EngineInfo, ...]:
        """Return what the look runs on."""
        return self._look_loader.engines(self._loaded.look.name)

    def __call__(self, source: PictureFile, output: Path) -> None:
        """Render one picture file into another. If a face cannot be painted, the look's fallback is written.

        Raises:
            SourceError: The picture cannot be read.
            SinkError: The result cannot be written.
            VeneerError: The picture cannot be painted; nothing is written.
        """
        picture_format(output)
        started_s = time.monotonic()
        picture, look, name = source.still(), self._loaded.look, source.path.name
        read_s = time.monotonic()
        frame = Frame(picture.frame_bgr.copy(), 0, time.monotonic(), 0.0)
        try:
            bare_faces = self._paint(frame)
        except VeneerError:
            raise
        except Exception as error:  # libraries raise any type
            raise EngineError(f"look {look.name}", one_line(error)) from error
        if bare_faces or bare_faces is None:
            problem = "a face is too small to paint" if bare_faces else "no face found"
            say(f"{name}: {problem}; the result is {fallback_in_words(look, can_hold=False)}")
        elif self._person_finder.untracked_heads:
            say(f"{name}: {UNTRACKED}")
        shown = self._policy.after_painting(frame, self._loaded, self._strength, bare_faces=bare_faces)
        painted_s, covered = time.monotonic(), self._loaded.covers or shown.bgr is not frame.bgr
        painted = replace(picture.painted(shown.bgr, covered=covered), note=shown.note)
        lost = save_picture(output, painted, replace=self._replace)
        self.stages_s = {
            "read": read_s - started_s,
            "paint": painted_s - read_s,
            "write": time.monotonic() - painted_s,
        }
        for note in source.notes + ([f"not kept in a {output.suffix}: {', '.join(lost)}"] if lost else []):
            say(f"{name}: {note}")

    def _paint(self, frame: Frame) -> int | None:
        """Paint in place; return the number of faces left bare, or None if no face was found."""
        if not self._loaded.layers and not self._loaded.look.hides_by_person:
            return 0
        faces, person = self._tracker.track(frame), None
        if self._loaded.look.needs_everyone:
            person = self._person_finder.persons(frame.bgr, faces, 0.0)
        elif self._loaded.needs_person:
            person = self._person_finder.mask(frame.bgr, frame.time_s)
        if self._loaded.look.needs_hands:
            faces = self._hand_finder.with_hands(frame, faces)
        names = self._recogniser.recognise(frame, faces).names if self._recogniser is not None else {}
        tracked = TrackedFrame(frame, faces, 0.0, person, names, heads=self._person_finder.heads)
        self._policy.blur_untracked(tracked, self._loaded, self._strength)
        stats = Painter().paint(
            frame.bgr,
            faces,
            self._loaded,
            self._strength,
            at_s=0.0,
            person=person,
            outlined=self._person_finder.outlined,
            names=names,
            heads=tracked.heads,
        )
        self._policy.cover_bare(tracked, self._loaded, self._strength, stats.drawn)
        return stats.bare_faces if faces else None

    def close(self) -> None:
        """Close the tracker, the finders of persons and hands, and the engines."""
        self._tracker.close()
        self._person_finder.close()
        self._hand_finder.close()
        self._look_loader.close()
