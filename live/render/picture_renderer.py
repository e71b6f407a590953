"""Looks on single pictures."""

from __future__ import annotations

import time
from pathlib import Path

from engines.errors import EngineError, VeneerError
from engines.looks import Look
from engines.text import one_line
from live.options import LiveOptions
from live.pipeline.frame import Frame, ImageU8
from live.render.look_loader import LookLoader
from live.render.painter import Painter
from live.render.privacy_fallback import PrivacyFallback
from live.session import say
from live.sources.still_picture import read_picture, write_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter


class PictureRenderer:
    """Paints single pictures with one look; the tracker and the engines are loaded once."""

    def __init__(self, options: LiveOptions, look: Look) -> None:
        self._look_loader = LookLoader({look.name: look}, runtime=options.runtime, say=say)
        self._ready = self._look_loader.prepare(look.name)
        self._tracker = FaceMeshTracker(max_faces=options.max_faces, still=True)
        self._segmenter = PersonSegmenter(still=True)
        self._strength = options.strength

    def __call__(self, source: Path, output: Path) -> None:
        """Paint one picture file into another. A face that cannot be painted is treated as the look says of no face.

        Raises:
            SourceError: the picture cannot be read.
            SinkError: the result cannot be written.
            VeneerError: it cannot be painted, whatever a library says of it; nothing is written.
        """
        picture_bgr, look = read_picture(source), self._ready.look
        try:
            missing = self._paint(picture_bgr)
        except VeneerError:
            raise
        except Exception as error:
            raise EngineError(f"look {look.name}", one_line(error)) from error
        if missing:
            say(f"{source.name}: {missing}; the look shows '{look.no_face}'")
            picture_bgr = PrivacyFallback().instead(picture_bgr, look, 0.0)
        write_picture(output, picture_bgr)

    def _paint(self, picture_bgr: ImageU8) -> str:
        """Paint in place; says why a face is bare where one is."""
        faces = self._tracker.track(Frame(picture_bgr, 0, time.monotonic(), 0.0))
        person = self._segmenter.mask(picture_bgr) if self._ready.wants_person else None
        spent = Painter().paint(picture_bgr, faces, self._ready, self._strength, at_s=0.0, person=person)
        if not self._ready.layers or (faces and not spent.bare):
            return ""
        return "a face is too small to paint" if faces else "no face found"

    def close(self) -> None:
        """Let go of the tracker, the segmenter and the engines."""
        self._tracker.close()
        self._segmenter.close()
        self._look_loader.close()
