"""The face tracker of a run."""

from __future__ import annotations

import functools

from live.options import LiveOptions
from live.tracking.base import FaceTracker
from live.tracking.face_mesh import FaceMeshTracker


def make_tracker(options: LiveOptions) -> FaceTracker:
    """Return the tracker for the options; its models are loaded when it is opened."""
    if options.face_model is None:
        return FaceMeshTracker(max_faces=options.max_faces)
    from live.tracking.face_landmarker import LandmarkerMesh

    new_mesh = functools.partial(LandmarkerMesh, options.face_model)
    return FaceMeshTracker(max_faces=options.max_faces, new_mesh=new_mesh)
