"""`veneer models add identity`: a face recognition network from the user's file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError, os_errors
from engines.files import atomic_path
from engines.identity.crops import USUAL_EYES_XY, USUAL_SIDE_PX
from engines.identity.network import EMBEDDED, IdentityNetwork, NetworkCard, own_folder, save_card
from engines.identity.openface import EYES_XY, THRESHOLD, openface_graph, read_openface
from engines.imports.graph_file import checked_graph
from engines.runtime.openvino.converted_graph import load_openvino, openvino_core
from engines.text import first_line
from engines.untrusted_files import plain_size, shown

_MAX_BYTES = 600_000_000
_USUAL_THRESHOLD = 1.24  # of networks trained with an angular margin: a cosine of 0.38
_DO = "name an OpenVINO .xml, an .onnx, or the .npz of OpenFace nn4.small2"


def add_network(
    file: Path, name: str, *, threshold: float | None, unit: bool, photo_bgr: NDArray[np.uint8], eyes: object
) -> NetworkCard:
    """Write a network of the user's own; return its card.

    Args:
        file: OpenVINO, ONNX or OpenFace.
        name: "" for the file's name.
        threshold: None for the usual one.
        unit: The network takes 0..1, not 0..255; OpenFace's does.
        photo_bgr: A portrait to try the network on.
        eyes: Its landmarks (478, 2).

    Raises:
        OptionsError: The file is not a face recognition network, or the name is not usable.
    """
    name = name or re.sub("[^a-z0-9-]+", "-", file.stem.lower()).strip("-")[:40]
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", name) or name == EMBEDDED:
        raise OptionsError(f"--name {shown(name)}", "not a name for a network", "use small letters, digits and -")
    asked = f"identity network {file}"
    with os_errors(asked, _DO):
        plain_size(file, _MAX_BYTES)
    try:
        model, is_openface = _model(file)
        side = model.inputs[0].partial_shape[2]
        side_px = side.get_length() if side.is_static else USUAL_SIDE_PX
    except (RuntimeError, ValueError, IndexError) as error:
        raise OptionsError(asked, first_line(error), _DO) from error
    scale = side_px / USUAL_SIDE_PX
    usual = tuple((x * scale, y * scale) for x, y in USUAL_EYES_XY)
    folder = own_folder()
    with os_errors(f"networks in {folder}", "make room, or allow this user to write there"):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / f"{name}.xml") as part:
            load_openvino().save_model(model, part, compress_to_fp16=False)
            binary = part.with_suffix(".bin")
            card = NetworkCard(
                name,
                hashlib.sha256(binary.read_bytes()).hexdigest()[:16],
                side_px,
                EYES_XY if is_openface else usual,  # type: ignore[arg-type]
                1.0 if is_openface or unit else 255.0,
                threshold or (THRESHOLD if is_openface else _USUAL_THRESHOLD),
            )
            try:
                _try(IdentityNetwork(card, part), photo_bgr, np.asarray(eyes, np.float32), asked)
                binary.replace(folder / f"{name}.bin")
                save_card(card, folder / f"{name}.json", file=file.name)
            finally:
                binary.unlink(missing_ok=True)
    return card


def _model(file: Path) -> tuple[Any, bool]:
    if file.suffix == ".npz":
        return openface_graph(read_openface(file)), True
    if file.suffix not in (".onnx", ".xml"):
        raise ValueError("it has another suffix than .xml, .onnx and .npz")
    if file.suffix == ".onnx":
        checked_graph(file)
    return openvino_core().read_model(str(file)), False


def _try(network: IdentityNetwork, bgr: NDArray[np.uint8], landmarks_xy: NDArray[np.float32], asked: str) -> None:
    """Raise OptionsError if a face and its darker copy differ more than the face and noise."""
    noise = np.random.default_rng(0).integers(0, 256, bgr.shape, np.uint8)
    pictures = bgr, np.asarray(bgr * 0.8, np.uint8), noise
    face, darker, other = (network.embed(one, landmarks_xy) for one in pictures)
    if not face @ darker > max(float(face @ other), 0.5):
        raise OptionsError(asked, "it does not recognise a face that is a little darker", _DO)
