"""Whether a file is a MediaPipe model bundle (`.task`) at all, before native code is given its bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from engines.errors import TrackingError
from engines.untrusted_files import read_whole, shown

MOST_BYTES = 64_000_000  # the bundle that MediaPipe gives out has 4
_MOST_FILES = 16
_NEEDED = ("face_detector.tflite", "face_landmarks_detector.tflite")
_MARK = slice(4, 8), b"TFL3"  # a TensorFlow Lite file's identifier, as FlatBuffers place it
REMEDY = "get face_landmarker.task from MediaPipe's model page and name it with --face-model"


def read_task(path: Path) -> bytes:
    """The bytes of a bundle: a zip archive whose files are stored, not compressed, so it is as large as it says.

    Raises:
        TrackingError: no such file, too large, no archive, compressed, or without the models of a face.
    """
    asked = f"face model {path}"
    try:
        content = read_whole(path, MOST_BYTES)
    except FileNotFoundError as error:
        raise TrackingError(asked, "there is no such file", REMEDY) from error
    except OSError as error:
        raise TrackingError(asked, error.strerror or str(error), REMEDY) from error
    if wrong := _wrong(content):
        raise TrackingError(asked, wrong, REMEDY)
    return content


def _wrong(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            files = bundle.infolist()
            if len(files) > _MOST_FILES:
                return f"it holds {len(files)} files, more than {_MOST_FILES}"
            if packed := [file.filename for file in files if file.compress_type != zipfile.ZIP_STORED]:
                return f"{shown(packed[0])} in it is compressed"
            if sum(file.file_size for file in files) > len(content):
                return "its files are larger than it"
            names = [file.filename for file in files]
            if lacking := [name for name in _NEEDED if name not in names]:
                return f"there is no {lacking[0]} in it"
            for name in names:
                if name.endswith(".tflite") and bundle.read(name)[_MARK[0]] != _MARK[1]:
                    return f"{shown(name)} in it is no TensorFlow Lite file"
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        return f"it is no model bundle ({shown(str(error))})"
    return ""
