"""Checks of the options of `veneer train STYLE` that say where pictures come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError
from engines.option_fields import check_alternatives
from engines.training.methods import FROM_NOISE

if TYPE_CHECKING:
    from calibration.training.train_request import TrainRequest
    from engines.training.method import TrainingMethod

FACE_SWAP = "face_swap"  # the method's name
USAGE = (
    "give --teacher NAME --faces DIR, or --before DIR --after DIR, or --photos DIR --drawings DIR, "
    "or --style-picture FILE"
)
FROM_NOISE_USAGE = "give --photos DIR, and --labels CSV for cgan"
_SWAP_USAGE = 'give --from DIR --to DIR --i-have-consent-of "NAME" --i-have-consent-of "NAME"'
_OWN = ("--before", "--after", "--photos", "--drawings")
_MAX_NAME = 80


def check_pictures(
    name: str,
    teacher: str | None,
    faces: Iterable[Path],
    *folders: Path | None,
    style_picture: Path | None = None,
    method: str = "",
) -> None:
    """Check the options that name pictures. Raises OptionsError if one is missing, or a folder does not exist.

    Args:
        folders: Those of --before, --after, --photos and --drawings.
        style_picture: That of --style-picture, which needs no other option and takes --photos.
        method: Name of the method, if it is known.
    """
    if method in FROM_NOISE:
        of_photos = [option for option, given in zip(_OWN, folders, strict=True) if given]
        of_teacher = [option for option, given in (("--teacher", teacher), ("--faces", list(faces))) if given]
        if [*of_teacher, *of_photos] != ["--photos"]:
            got = f"it has {', '.join([*of_teacher, *of_photos]) or 'no pictures'}"
            raise OptionsError(f"train {name} --method {method}", got, FROM_NOISE_USAGE)
        return
    own = dict(zip(_OWN, folders, strict=True))
    named = {"--faces": list(faces), **{option: [folder] if folder else [] for option, folder in own.items()}}
    of_teacher = [*(["--teacher"] if teacher else []), *(["--faces"] if named["--faces"] else [])]
    of_pairs = [option for option in ("--before", "--after") if named[option]]
    unpaired = [option for option in ("--photos", "--drawings") if named[option]]
    needed = (("--teacher", "--faces"), ("--before", "--after"), ("--photos", "--drawings"), ("--style-picture",))
    of_style = ["--style-picture"] if style_picture else []
    if of_style and unpaired == ["--photos"]:
        unpaired = []
    check_alternatives(f"train {name}", (of_teacher, of_pairs, unpaired, of_style), needed, USAGE)
    if style_picture is not None and not style_picture.is_file():
        raise OptionsError(f"--style-picture {style_picture}", "there is no such file", "check the path")
    for option, places in named.items():
        for folder in places:
            if not folder.exists():
                raise OptionsError(f"{option} {folder}", "there is no such folder", "check the path")


def check_swap(name: str, one: str, other: Path | None, consent_of: Sequence[str], others: Sequence[str]) -> None:
    """Check the options of a face swap.

    Args:
        name: Of the style.
        one: Value of --from.
        other: Value of --to.
        consent_of: Values of --i-have-consent-of.
        others: Given options that belong to other methods.

    Raises:
        OptionsError: A person or a consent is missing, or another option is given.
    """
    asked = f"train {name} --method face-swap"
    if others:
        raise OptionsError(asked, f"it does not take {', '.join(others)}", _SWAP_USAGE)
    missing = [option for option, value in (("--from", one), ("--to", other)) if not value]
    if missing:
        raise OptionsError(asked, f"{' and '.join(missing)} is missing", _SWAP_USAGE)
    given = list(dict.fromkeys(" ".join(person.split()) for person in consent_of))
    if len(given) != 2 or not all(person and person.isprintable() and len(person) <= _MAX_NAME for person in given):
        got = f"the consent of {len(given)} person{'s' * (len(given) != 1)} is stated, both must agree"
        do = 'name first the one of --from, then the one of --to: --i-have-consent-of "NAME", twice'
        raise OptionsError(asked, got, do)


def swap_persons(consent_of: Sequence[str]) -> tuple[str, str]:
    """Return the names of checked options: who is replaced, and who takes the place."""
    one, other = dict.fromkeys(" ".join(person.split()) for person in consent_of)
    return one, other


def check_kind(request: TrainRequest, method_class: type[TrainingMethod[Any]]) -> None:
    """Raise OptionsError if the request's pictures are not those that the method trains on."""
    kind, asked = method_class.data_kind, f"--method {method_class.name}"
    if not kind:
        got = "it does not train on these pictures, but on data of its own command"
        raise OptionsError(asked, got, f"use veneer train {method_class.name}")
    if (kind == "style") != (request.style_picture is not None):
        do = "use --method style_picture or painted together with --style-picture FILE"
        raise OptionsError(
            asked, "it trains on photos and one style picture" if kind == "style" else "it takes none", do
        )
    if kind == "pictures" and not request.from_noise:
        got = "it makes pictures from noise"
        raise OptionsError(f"generator of {request.name!r}", got, f"add --method {method_class.name}")
    if (kind == "persons") != request.swaps:
        do = "use --method face-swap with --from DIR --to DIR"
        raise OptionsError(asked, "it trains on the faces of two persons", do)
    if kind == "unpaired" and request.photos is None:
        got = "it trains on photos and drawings without pairs"
        raise OptionsError(asked, got, "give --photos DIR --drawings DIR")
    if kind != "unpaired" and request.groups is not None:
        got = "groups are for photos and drawings without pairs"
        raise OptionsError("--groups", got, "use --method cyclegan, ugatit, photo2cartoon or cgan, or leave it out")
    if kind == "pairs" and request.photos is not None:
        got = "it trains on pairs of pictures"
        do = "give --before DIR --after DIR, or use --method cyclegan, ugatit, photo2cartoon or cgan"
        raise OptionsError(asked, got, do)
