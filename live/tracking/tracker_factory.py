"""The face tracker of a run."""

from __future__ import annotations

import functools

from live.options import LiveOptions
from live.tracking.base import FaceTracker
from live.tracking.face_mesh import FaceMeshTracker

MOST_FACES = 4


def make_tracker(options: LiveOptions, *, everyone: bool = False) -> FaceTracker:
    """Return the tracker for the options; its models are loaded when it is opened.

    Args:
        options: `max_faces` and `face_model`.
        everyone: Track as many faces as possible: a look for some persons has to tell the others from them.
    """
    max_faces = MOST_FACES if everyone else options.max_faces
    if options.face_model is None:
        return FaceMeshTracker(max_faces=max_faces)
    from live.tracking.face_landmarker import LandmarkerMesh

    new_mesh = functools.partial(LandmarkerMesh, options.face_model)
    return FaceMeshTracker(max_faces=max_faces, new_mesh=new_mesh)
