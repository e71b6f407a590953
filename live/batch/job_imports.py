"""Imports and computes once, in the server of `live.batch.job_server`, what all worker processes need.

Not OpenVINO: it starts a thread when it is imported.
"""

from __future__ import annotations

import contextlib

import live.batch.job_processes  # noqa: F401
from engines.errors import VeneerError
from engines.looks_file import load_looks
from live.tracking.mesh_model import loading

with contextlib.suppress(VeneerError), loading("the face mesh"):  # a worker that lacks something says so
    from mediapipe.python.solutions import face_mesh, selfie_segmentation  # noqa: F401
with contextlib.suppress(VeneerError):
    load_looks()  # tables of OpenCV and of the generators
