"""Paints every look on one picture, in a process of the lowest priority, for the tiles of the control page.

The picture comes by standard input and the tiles go back by standard output, so no file of the wearer's face is
written. Input: one line of JSON (`looks_file`, `names`, `tables`, `size`), then the picture as raw BGR; without `size`
the built-in portrait is used. Output per look: the lengths of its name and of its JPEG (>HI), then both. Without a face
all JPEGs are empty.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from engines.errors import VeneerError
from engines.looks import Look, for_everyone
from engines.looks_file import load_looks, parse_look
from engines.runtime.autotune_choice import with_chosen_sizes
from live.pipeline.frame import ImageU8
from live.portrait import portrait_bgr
from live.render.look_loader import LookLoader
from live.render.look_tile import cut_tile, find_faces, scale_to_tile
from live.render.painter import Painter
from live.tracking.person_segmenter import PersonSegmenter

TILE_PX = 280
_QUALITY = 85
_PREFIX = struct.Struct(">HI")


def main(stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """Read one order and write its tiles."""
    with contextlib.suppress(OSError, AttributeError):  # Windows has no `nice`; there the parent sets the priority
        os.nice(19)
    cv2.setNumThreads(1)
    order = json.loads(stdin.readline())
    picture_bgr = _picture(order["size"], stdin)
    looks = {**load_looks(Path(order["looks_file"]) if order["looks_file"] else None)}
    looks |= {name: parse_look(name, table) for name, table in order["tables"].items()}
    chosen = {name: for_everyone(with_chosen_sizes(looks[name])) for name in order["names"] if name in looks}
    for name, tile in painted_tiles(picture_bgr, chosen):
        encoded = b"" if tile is None else cv2.imencode(".jpg", tile, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()
        write_tile(stdout, name, encoded)


def painted_tiles(picture_bgr: ImageU8, looks: Mapping[str, Look]) -> Iterator[tuple[str, ImageU8 | None]]:
    """Yield the tile of each look; None for all without a face, and for a look that cannot be painted."""
    faces = find_faces(picture_bgr)
    if not faces:
        yield from ((name, None) for name in looks)
        return
    with PersonSegmenter(still=True) as segmenter:
        person = segmenter.mask(picture_bgr)
    scaled_bgr, face = scale_to_tile(picture_bgr, faces[0], TILE_PX)
    loader = LookLoader(looks, runtime="auto", say=lambda line: None, background=True)
    with contextlib.closing(loader):
        for name in looks:
            painted_bgr = scaled_bgr.copy()
            try:
                Painter().paint(painted_bgr, (face,), loader.load(name), 1.0, at_s=0.0, person=person)
            except VeneerError:
                yield name, None
                continue
            yield name, cut_tile(painted_bgr, face, TILE_PX)


def write_tile(stream: IO[bytes], name: str, jpeg: bytes) -> None:
    """Write one tile."""
    encoded = name.encode()
    stream.write(_PREFIX.pack(len(encoded), len(jpeg)) + encoded + jpeg)
    stream.flush()


def read_tile(stream: IO[bytes]) -> tuple[str, bytes] | None:
    """Read one tile; None at the end."""
    prefix = stream.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    name_size, jpeg_size = _PREFIX.unpack(prefix)
    name, jpeg = stream.read(name_size), stream.read(jpeg_size)
    return (name.decode(), jpeg) if len(jpeg) == jpeg_size else None


def _picture(size: Any, stdin: IO[bytes]) -> ImageU8:
    if size is None:
        return portrait_bgr()
    width, height = size
    return np.frombuffer(stdin.read(width * height * 3), np.uint8).reshape(height, width, 3)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
