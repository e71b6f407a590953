"""Renders looks onto single pictures."""

from __future__ import annotations

import time
from pathlib import Path

from engines.errors import EngineError, VeneerError
from engines.looks import Look
from engines.text import one_line
from live.options import ApplyOptions
from live.pipeline.frame import Frame
from live.render.look_loader import LookLoader
from live.render.painter import Painter
from live.render.privacy_policy import PrivacyPolicy
from live.session import say
from live.sources.still_picture import read_picture, write_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter


class PictureRenderer:
    """Renders one look onto picture files; the tracker and the engines are loaded once."""

    def __init__(self, options: ApplyOptions, look: Look) -> None:
        self._look_loader = LookLoader({look.name: look}, runtime=options.runtime, say=say)
        self._loaded = self._look_loader.load(look.name)
        self._tracker = FaceMeshTracker(max_faces=options.max_faces, still=True)
        self._segmenter = PersonSegmenter(still=True)
        self._strength = options.strength

    def __call__(self, source: Path, output: Path) -> None:
        """Render one picture file into another. If a face cannot be painted, the look's fallback is written.

        Raises:
            SourceError: The picture cannot be read.
            SinkError: The result cannot be written.
            VeneerError: The picture cannot be painted; nothing is written.
        """
        frame, look = Frame(read_picture(source), 0, time.monotonic(), 0.0), self._loaded.look
        try:
            bare_faces = self._paint(frame)
        except VeneerError:
            raise
        except Exception as error:  # libraries raise any type
            raise EngineError(f"look {look.name}", one_line(error)) from error
        if bare_faces or bare_faces is None:
            problem = "a face is too small to paint" if bare_faces else "no face found"
            say(f"{source.name}: {problem}; the look shows '{look.no_face}'")
        shown = PrivacyPolicy().after_painting(frame, self._loaded, self._strength, bare_faces=bare_faces)
        write_picture(output, shown.bgr)

    def _paint(self, frame: Frame) -> int | None:
        """Paint in place; return the number of faces left bare, or None if no face was found."""
        if not self._loaded.layers:
            return 0
        faces = self._tracker.track(frame)
        person = self._segmenter.mask(frame.bgr) if self._loaded.needs_person else None
        stats = Painter().paint(frame.bgr, faces, self._loaded, self._strength, at_s=0.0, person=person)
        return stats.bare_faces if faces else None

    def close(self) -> None:
        """Close the tracker, the segmenter and the engines."""
        self._tracker.close()
        self._segmenter.close()
        self._look_loader.close()
