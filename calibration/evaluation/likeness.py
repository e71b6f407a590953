"""Likeness: whether a face recognition network finds the person of a drawing among photos of many persons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError
from engines.identity.crops import USUAL_SIDE_PX, face_crop
from engines.looks import Look
from engines.runtime.openvino.converted_graph import openvino_core
from engines.text import first_line
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Frame, ImageU8
from live.render.look_loader import LookLoader
from live.render.painter import Painter
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter

Embedding = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well persons are found.

    Attributes:
        rank1: Share of the pictures whose nearest photo in the gallery shows the same person, 0..1.
        own: Mean cosine to the same person's photos.
        others: Mean cosine to all other photos.
    """

    rank1: float
    own: float
    others: float


def person_of(photo: Path) -> str:
    """Return the name of the person on a photo: the file's stem up to the first underscore."""
    return photo.stem.partition("_")[0]


def likeness(
    probes: Sequence[Embedding], persons: Sequence[str], gallery: Sequence[Embedding], gallery_persons: Sequence[str]
) -> Likeness:
    """Look up embeddings (256,) among those of a gallery by their cosine."""
    first, second = (np.stack(one) / np.linalg.norm(np.stack(one), axis=1)[:, None] for one in (probes, gallery))
    cosine = first @ second.T
    same = np.array([[one == other for other in gallery_persons] for one in persons])
    found = same[np.arange(len(persons)), cosine.argmax(1)]
    return Likeness(float(found.mean()), float(cosine[same].mean()), float(cosine[~same].mean()))


def check_persons(photos: Sequence[Path], gallery: Sequence[Path]) -> None:
    """Raise OptionsError if the person of a photo is missing in the gallery, or the gallery shows one person only."""
    known = {person_of(photo) for photo in gallery}
    missing = sorted({person_of(photo) for photo in photos} - known)
    if missing or len(known) < 2:
        got = f"no photo of {', '.join(missing[:5])}" if missing else "it shows one person only"
        raise OptionsError("--gallery", got, "name files PERSON_anything in both folders, of two persons at least")


def likeness_report(
    look: Look, photos: Sequence[Path], gallery: Sequence[Path], model: Path, on_photo: Callable[[], None]
) -> dict[str, Any]:
    """Draw photos and look the persons up among the photos of a gallery, which are not drawn.

    Args:
        model: OpenVINO graph of a face recognition network, RGB (N, 3, 112, 112) in 0..255 to embeddings.

    Raises:
        OptionsError: The model is not such a graph, or a photo's person is missing in the gallery.
        SourceError: A photo is not readable.
    """
    network = open_network(model)
    check_persons(photos, gallery)
    loader = LookLoader({look.name: look}, runtime="auto", say=lambda _line: None)
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    known: dict[bool, list[tuple[str, Embedding]]] = {False: [], True: []}  # of the gallery; of the photos
    drawn, faceless = list[Embedding](), list[str]()
    with closing(loader), closing(tracker), PersonSegmenter(still=True) as segmenter:
        loaded = loader.load(look.name)
        for is_probe, photo in [*((False, one) for one in gallery), *((True, one) for one in photos)]:
            bgr = read_picture(photo)
            faces = tracker.track(Frame(bgr, 0, 0.0))
            faceless += [] if faces else [photo.name]
            for face in faces:
                known[is_probe].append((person_of(photo), embedding(network, bgr, face)))
                if is_probe:
                    painted = bgr.copy()
                    Painter().paint(painted, (face,), loaded, 1.0, at_s=0.0, person=segmenter.mask(bgr))
                    drawn.append(embedding(network, painted, face))
            on_photo()
    for is_probe, folder in ((True, "--faces"), (False, "--gallery")):
        if not known[is_probe]:
            raise OptionsError(folder, "no face was found on its photos", "use photos of faces that look at the camera")
    persons, of_photos = zip(*known[True], strict=True)
    gallery_persons, of_gallery = zip(*known[False], strict=True)
    return {
        "look": look.name,
        "photos": len(drawn),
        "without_a_face": faceless,
        "gallery": len(of_gallery),
        "drawn": asdict(likeness(drawn, persons, of_gallery, gallery_persons)),
        "photo": asdict(likeness(of_photos, persons, of_gallery, gallery_persons)),
    }


def likeness_summary(report: dict[str, Any]) -> str:
    """Format the report as text."""
    lines = [f"{report['look']}: {report['photos']} faces looked up among {report['gallery']} photos"]
    if faceless := report["without_a_face"]:
        lines.append(f"no face was found on {len(faceless)} photos: {', '.join(faceless[:5])}")
    for kind in ("drawn", "photo"):
        one = report[kind]
        lines.append(
            f"{kind}: {100 * one['rank1']:.0f} % found first (rank 1); cosine {one['own']:.2f} to the same person, "
            f"{one['others']:.2f} to others"
        )
    return "\n".join(lines)


def open_network(model: Path, option: str = "--likeness") -> Any:
    """Return the network. Raises OptionsError, with the option's name, if it is none of faces to embeddings."""
    asked, do = f"{option} {model}", "name the .xml file of a face recognition network"
    try:
        network = openvino_core().compile_model(str(model), "CPU")
        found = network([np.zeros((1, 3, USUAL_SIDE_PX, USUAL_SIDE_PX), np.float32)])[0]
    except (RuntimeError, ValueError) as error:
        raise OptionsError(asked, first_line(error), do) from error
    if found.ndim != 2 or len(found) != 1:
        raise OptionsError(asked, f"its output is of shape {found.shape}", do)
    return network


def embedding(network: Any, bgr: ImageU8, face: Face) -> Embedding:
    """Return the embedding of a face, (256,); the crop is levelled at the photo's eyes."""
    rgb = face_crop(bgr, face.landmarks_xy).transpose(2, 0, 1)[None]
    return np.array(network([np.ascontiguousarray(rgb, np.float32)])[0][0], np.float32)
