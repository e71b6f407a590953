"""Validation of MediaPipe model bundles (`.task`) before their bytes reach native code."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from engines.errors import TrackingError
from engines.untrusted_files import read_whole, shown

MAX_BYTES = 64_000_000  # MediaPipe's bundle has 4 million
_MAX_FILES = 16
_REQUIRED = ("face_detector.tflite", "face_landmarks_detector.tflite")
_TFLITE_ID, _TFLITE_ID_SLICE = b"TFL3", slice(4, 8)  # FlatBuffers file identifier
REMEDY = "get face_landmarker.task from MediaPipe's model page and name it with --face-model"


def read_task(path: Path) -> bytes:
    """Read a model bundle: a zip archive of uncompressed files, so that its stated size is its real size.

    Raises:
        TrackingError: The file does not exist, is too large, is not such an archive, or lacks a face model.
    """
    requested = f"face model {path}"
    try:
        content = read_whole(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise TrackingError(requested, "there is no such file", REMEDY) from error
    except OSError as error:
        raise TrackingError(requested, error.strerror or str(error), REMEDY) from error
    if problem := _find_problem(content):
        raise TrackingError(requested, problem, REMEDY)
    return content


def _find_problem(content: bytes) -> str:
    """Return why the content is not a valid bundle; empty if it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            files = bundle.infolist()
            if len(files) > _MAX_FILES:
                return f"it holds {len(files)} files, more than {_MAX_FILES}"
            if compressed := [file.filename for file in files if file.compress_type != zipfile.ZIP_STORED]:
                return f"{shown(compressed[0])} in it is compressed"
            if sum(file.file_size for file in files) > len(content):
                return "its files are larger than it"
            names = [file.filename for file in files]
            if missing := [name for name in _REQUIRED if name not in names]:
                return f"there is no {missing[0]} in it"
            for name in names:
                if name.endswith(".tflite") and bundle.read(name)[_TFLITE_ID_SLICE] != _TFLITE_ID:
                    return f"{shown(name)} in it is no TensorFlow Lite file"
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        return f"it is no model bundle ({shown(str(error))})"
    return ""
