"""Face tracking with a face mesh: near faces on the whole frame, far ones inside crops of it."""

from __future__ import annotations

import cv2

from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.pipeline.frame_pool import FramePool
from live.tracking.face_identity import FaceIdentity
from live.tracking.far_faces import MIN_SIDE_PX, SEARCH_INTERVAL_S, FarFaces, nearest_distance_px, overlaps
from live.tracking.mesh_model import BundledMesh, Mesh, MeshFactory

_MAX_SEARCH_SIDE_PX = 1920  # larger frames are reduced for the search; landmarks are scaled back


class FaceMeshTracker:
    """Tracks up to four faces with a mesh; a `FaceTracker`.

    The mesh's own detector misses faces narrower than about a sixth of the frame. If it finds fewer faces than
    requested, MediaPipe's full-range detector runs a few times a second, and the mesh tracks its detections inside
    crops of the frame. Near faces have priority over far ones.

    Args:
        max_faces: Maximum number of faces, 1 to 4.
        smooth: Apply a one-euro filter to the landmarks.
        still: The frames are unrelated pictures: each is searched independently, without any state.
        new_mesh: Loads a mesh.
    """

    def __init__(
        self, *, max_faces: int = 1, smooth: bool = True, still: bool = False, new_mesh: MeshFactory = BundledMesh
    ) -> None:
        self._max_faces, self._still, self._new_mesh = max_faces, still, new_mesh
        self._identity = FaceIdentity(smooth=smooth and not still)
        self._mesh: Mesh | None = None
        self._far = FarFaces(max_faces=max_faces, still=still, new_mesh=new_mesh)
        self._near_xy: list[Floats] = []  # faces found on the whole of the last frame
        self._searched_s = self._near_seen_s = float("-inf")
        self._pool = FramePool()

    def open(self) -> None:
        """Load the model (about 0.7 s, mostly imports).

        Raises:
            TrackingError: MediaPipe or the model is missing or cannot be loaded.
        """
        if self._mesh is None:
            self._mesh = self._new_mesh(self._max_faces, still=self._still)

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """Return the faces on this frame; see `FaceTracker`."""
        self.open()
        if min(frame.size_wh) < MIN_SIDE_PX:
            return ()
        at_s = frame.time_s
        search_rgb, scale = prepare_search_image(frame.bgr, self._pool)
        self._far.follow(search_rgb)
        self._search_near(search_rgb, at_s)
        self._far.search(search_rgb, self._near_xy, at_s)
        found_xy = [*self._near_xy, *self._far.found_xy]
        return self._identity.assign([landmarks_xy / scale for landmarks_xy in found_xy], at_s)

    def _search_near(self, search_rgb: ImageU8, at_s: float) -> None:
        """Run the mesh on the whole frame: on every frame, or a few times a second while all faces are far."""
        only_far = bool(self._far.found_xy) and abs(at_s - self._near_seen_s) >= SEARCH_INTERVAL_S
        if only_far and abs(at_s - self._searched_s) < SEARCH_INTERVAL_S:
            return
        assert self._mesh is not None
        self._searched_s = at_s
        before_xy, self._near_xy = [] if self._still else self._near_xy, []
        found_xy = self._mesh.find(search_rgb) if self._still else self._mesh.find_settled(search_rgb, before_xy)
        # With several faces MediaPipe may find one twice, slightly shifted: keep the one nearer to the last frame's.
        for landmarks_xy in sorted(found_xy, key=lambda xy: nearest_distance_px(xy, before_xy)):
            if not overlaps(landmarks_xy, self._near_xy):
                self._near_xy.append(landmarks_xy)
        if self._near_xy:
            self._near_seen_s = at_s
            self._far.preload()
        self._far.remove_near(self._near_xy)

    def close(self) -> None:
        """Release the models; idempotent."""
        if self._mesh is not None:
            self._mesh.close()
        self._mesh, self._near_xy = None, []
        self._far.close()


def prepare_search_image(frame_bgr: ImageU8, pool: FramePool) -> tuple[ImageU8, float]:
    """Convert a frame for MediaPipe, reduced if it is large.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR.
        pool: Supplies the memory.

    Returns:
        A read-only (H * scale, W * scale, 3) uint8 RGB image, and the scale, at most 1.
    """
    scale = min(1.0, _MAX_SEARCH_SIDE_PX / max(frame_bgr.shape[:2]))
    if scale < 1.0:
        frame_bgr = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    picture_rgb = pool.take(frame_bgr.shape)
    cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB, dst=picture_rgb)
    search_rgb = picture_rgb.view()
    search_rgb.flags.writeable = False  # MediaPipe reads a read-only array without copying it
    return search_rgb, scale
