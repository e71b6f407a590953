"""A contact sheet: every look on the same face, with its name."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError
from engines.looks import Look, for_everyone
from live.control.stop_signals import stop_on_signals
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr
from live.render.look_loader import LookLoader
from live.render.look_tile import TILE_PX, cut_tile, find_faces, scale_to_tile
from live.render.painter import Painter
from live.tracking.person_segmenter import PersonSegmenter

_LABEL_PX, _GAP_PX = 40, 16
_MAX_COLUMNS = 4
_FONT, _FONT_SCALE, _MAX_LABEL = cv2.FONT_HERSHEY_DUPLEX, 0.7, 26  # so many characters fit in a tile


def write_sheet(path: Path, looks: Mapping[str, Look], photo: Path | None) -> None:
    """Paint every look on a face and write all as one picture of equal tiles.

    Args:
        path: The picture file to write.
        looks: The looks by name, in the order of the tiles.
        photo: A picture with a face; None for the built-in portrait.

    Raises:
        SourceError: The photo cannot be read.
        OptionsError: No face was found in it.
        SinkError: The sheet cannot be written.
        KeyboardInterrupt: A signal stopped it between two looks; no file is written.
    """
    stopped = threading.Event()
    with stop_on_signals(stopped.set):  # a signal inside a library's call could leave it in an undefined state
        tiles = _paint_tiles(looks, photo, stopped)
    notes = dict.fromkeys(look.swap_note for look in looks.values() if look.swap_note)
    write_picture(path, _arrange(tiles), "; ".join(notes))


def _paint_tiles(looks: Mapping[str, Look], photo: Path | None, stopped: threading.Event) -> list[ImageU8]:
    picture_bgr = portrait_bgr() if photo is None else read_picture(photo)
    faces = find_faces(picture_bgr)
    if not faces:
        raise OptionsError(f"photo {photo}", "no face was found", "use one with a face that looks at the camera")
    with PersonSegmenter(still=True) as segmenter:
        person = segmenter.mask(picture_bgr)
    scaled_bgr, face = scale_to_tile(picture_bgr, faces[0])
    look_loader = LookLoader(
        {name: for_everyone(look) for name, look in looks.items()}, runtime="auto", say=lambda line: None
    )
    tiles: list[ImageU8] = []
    try:
        for name in looks:
            if stopped.is_set():
                raise KeyboardInterrupt
            painted_bgr = scaled_bgr.copy()
            Painter().paint(painted_bgr, (face,), look_loader.load(name), 1.0, at_s=0.0, person=person)
            tiles.append(_labelled(cut_tile(painted_bgr, face), name))
    finally:
        look_loader.close()
    if stopped.is_set():
        raise KeyboardInterrupt
    return tiles


def _labelled(tile_bgr: ImageU8, name: str) -> ImageU8:
    label_bgr = np.full((_LABEL_PX, TILE_PX, 3), 255, np.uint8)
    text = name if len(name) <= _MAX_LABEL else name[: _MAX_LABEL - 3] + "..."
    cv2.putText(label_bgr, text, (2, 28), _FONT, _FONT_SCALE, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([tile_bgr, label_bgr])


def _arrange(tiles: Sequence[ImageU8]) -> ImageU8:
    """Put the tiles into rows on a white sheet."""
    columns = min(_MAX_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    step_y, step_x = height + _GAP_PX, width + _GAP_PX
    sheet_bgr = np.full((rows * step_y + _GAP_PX, columns * step_x + _GAP_PX, 3), 255, np.uint8)
    for index, tile_bgr in enumerate(tiles):
        top, left = index // columns * step_y + _GAP_PX, index % columns * step_x + _GAP_PX
        sheet_bgr[top : top + height, left : left + width] = tile_bgr
    return sheet_bgr
