"""The network of `veneer paint --fast`, from files that the user names: read, checked, and kept in the data folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines import paths
from engines.cache.cache_entry import file_digest
from engines.errors import OptionsError, os_errors
from engines.files import atomic_path
from engines.generators.weights_file import load_weights, shapes_only
from engines.painting.transfer_network import Signals, TransferNetwork, mixed_signals
from engines.painting.vgg_file import read_tensors
from engines.text import first_line
from engines.untrusted_files import shown

PARTS = ("content_encoder", "style_encoder", "modulator", "decoder")
_SUFFIXES = (".npz", ".safetensors", ".pth", ".pt", ".tar")
_DO = f"name the folder of MicroAST's published weights, with a file for each of {', '.join(PARTS)}"
_LEAST_DEVIATION = 0.03  # of the painted portrait, whose own is 0.3


def kept_file() -> Path:
    """Return the path of the network that the user added, which may not exist."""
    return paths.data_dir() / "models" / "transfer.safetensors"


def add_transfer(folder: Path, picture_rgb: NDArray[np.uint8]) -> str:
    """Read the four files of the network, check them, keep them in the data folder, and return their SHA-256.

    Args:
        picture_rgb: The built-in portrait, (H, W, 3), on which the network is tried; sides are multiples of 4.

    Raises:
        OptionsError: A file is missing or not readable, is another network, or does not paint the picture.
    """
    asked, found, digests = f"transfer network {folder}", dict[str, Tensor](), list[str]()
    with os_errors(asked, "check the path"):
        files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    for part in PARTS:
        file = next((path for path in files if path.name.startswith(part)), None)
        if file is None:
            raise OptionsError(asked, f"there is no file {part}.npz or {part}_....pth.tar", _DO)
        found |= {f"{part}.{name}": one.float() for name, one in read_tensors(file, asked, _DO).items()}
        digests.append(file_digest(file))
    net = TransferNetwork().eval()
    wanted = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    wrong = [name for name in {**wanted, **found} if tuple(getattr(found.get(name), "shape", ())) != wanted.get(name)]
    if wrong:
        raise OptionsError(asked, f"{len(wrong)} tensors do not fit MicroAST, such as {shown(sorted(wrong)[0])}", _DO)
    net.load_state_dict(found)
    painted = paint_once(net, picture_rgb, style_signals(net, [(picture_rgb, 1.0)]))
    if not all(bool(torch.isfinite(one).all()) for one in found.values()) or painted.std() < 255 * _LEAST_DEVIATION:
        raise OptionsError(asked, "it does not paint the built-in portrait", _DO)
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    _keep(found, {"source": folder.name, "sha256": digest})
    return digest


def load_transfer() -> TransferNetwork:
    """Return the network that the user added. Raises OptionsError if there is none; EngineError if it is damaged."""
    if not kept_file().is_file():
        got, do = "the program has no such weights", "add them: veneer models add transfer FOLDER"
        raise OptionsError("transfer network", got, do)
    with shapes_only():
        net = TransferNetwork()
    load_weights(net, kept_file())
    return net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def kept_digest() -> str:
    """Return the SHA-256 of the files that the network came from. Raises OptionsError if there is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(kept_file(), framework="pt") as file:
            return str((file.metadata() or {}).get("sha256", ""))
    except (OSError, SafetensorError) as error:
        got = f"not readable ({first_line(error)})"
        raise OptionsError(f"transfer network {kept_file()}", got, "veneer models add transfer FOLDER") from error


@torch.inference_mode()
def style_signals(net: TransferNetwork, styles: list[tuple[NDArray[np.uint8], float]]) -> Signals:
    """Return what the network keeps of style pictures of any size, (H, W, 3) RGB, mixed by their weights.

    Strokes are as large as in them.
    """
    return mixed_signals([(net.signals(_tensor(one)), weight) for one, weight in styles])


@torch.inference_mode()
def paint_once(net: TransferNetwork, photo_rgb: NDArray[np.uint8], signals: Signals) -> NDArray[np.uint8]:
    """Return a painting, (H, W, 3) RGB uint8, of a photo of the same shape, whose sides are multiples of 4.

    Args:
        signals: Those of the style, of `style_signals`.
    """
    painted = net(_tensor(photo_rgb), signals)[0].permute(1, 2, 0)
    return np.ascontiguousarray((painted * 255).round().to(torch.uint8).numpy())


def _tensor(rgb: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255


def _keep(tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    from safetensors.torch import save_file

    file = kept_file()
    with os_errors(f"transfer network in {file.parent}", "make the folder writable, or make room"):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as part:
            save_file({name: one.contiguous() for name, one in tensors.items()}, part, about)
