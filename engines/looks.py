"""Looks: ordered layers of (style, strength), and the picture that is shown while no face is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from engines.drawing.medium import Medium
from engines.errors import LookError
from engines.generators.shade import Shade
from engines.identity.swap_consent import swap_note
from engines.regions.upright import FRAME_REGIONS
from engines.styles import Style
from engines.text import did_you_mean

NO_FACE = ("raw", "hold", "blur", "card")
AFTER_HOLD = ("raw", "blur", "card")
OTHERS = ("bare", "blur")
HOLD_S = 0.5  # default of a covering look


@dataclass(frozen=True, slots=True)
class Layer:
    """One trained style or lipstick shade of a look, with its strength, 0..1.

    Attributes:
        medium: How the planes of a drawn style become a drawing; None for other styles.
        only: Names of the enrolled people that the layer is for; () for all.
        excepted: Names of the enrolled people that it is not for.
    """

    style: Style | Shade
    strength: float
    medium: Medium | None = field(default=None, kw_only=True)
    only: tuple[str, ...] = field(default=(), kw_only=True)
    excepted: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def chosen(self) -> bool:
        """Whether the layer is for some persons and not for others."""
        return bool(self.only or self.excepted)

    def is_for(self, person: str | None) -> bool:
        """Whether the layer is for that person: an enrolled name, "" for a stranger, None while it is undecided."""
        if not self.chosen or person is None:
            return not self.chosen
        return person in self.only if self.only else person not in self.excepted

    @property
    def region(self) -> str:
        """The region of the style; "lips" for a shade."""
        return self.style.region if isinstance(self.style, Style) else "lips"

    @property
    def covers(self) -> bool:
        """Whether the layer hides what is below it."""
        return isinstance(self.style, Style) and self.style.covers


@dataclass(frozen=True, slots=True)
class Look:
    """A look.

    Attributes:
        about: One line of description.
        layers: From bottom to top.
        no_face: What is shown while no face is found: "raw", "hold", "blur" or "card".
        hold_s: How long "hold" lasts; infinity for no limit.
        then: What follows "hold": "raw", "blur" or "card".
        replaces_shipped: Whether it is the user's own and has the name of a shipped look.
        key: A letter or digit that selects the look; empty without one of its own.
        key_place: The look, and the file and line of its key.
        others: How people are shown for whom no layer is: "bare" or "blur".
        people: With `--only`, the people for whom the look is; its layers name them too.
    """

    name: str
    about: str
    layers: tuple[Layer, ...]
    no_face: str = "raw"
    hold_s: float = float("inf")
    then: str = "blur"
    replaces_shipped: bool = False
    key: str = ""
    key_place: str = ""
    others: str = "bare"
    people: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The enrolled people that the look or its layers name."""
        return frozenset((*self.people, *(name for layer in self.layers for name in (*layer.only, *layer.excepted))))

    def may_be_bare(self, person: str | None) -> bool:
        """Whether that person's face may be shown as it is; see `Layer.is_for`."""
        layers = [layer for layer in self.layers if layer.is_for(person)]
        chosen = bool(layers) or person in self.people or self.others == "bare"
        return person is not None and not any(layer.covers for layer in layers) and chosen

    @property
    def hides_by_person(self) -> bool:
        """Whether it depends on the person who is hidden."""
        return bool(self.names) and (self.covers or self.others == "blur")

    @property
    def own_parts(self) -> tuple[str, ...]:
        """What of the user's own is used here instead of something shipped: "look 'glaze'", "style 'toon'"."""
        styles = (layer.style for layer in self.layers if isinstance(layer.style, Style))
        parts = [f"look {self.name!r}"] if self.replaces_shipped else []
        return (*parts, *dict.fromkeys(f"style {style.name!r}" for style in styles if style.replaces_shipped))

    @property
    def covers(self) -> bool:
        """Whether a layer hides the face, so that no frame without it may be shown."""
        return any(layer.covers for layer in self.layers)

    @property
    def swap_note(self) -> str:
        """What files made with a face swap say; "" without one."""
        styles = (layer.style for layer in self.layers if isinstance(layer.style, Style))
        return "; ".join(dict.fromkeys(swap_note(style.card) for style in styles if style.swaps))

    @property
    def needs_person(self) -> bool:
        """Whether a layer needs the mask of the persons in the frame, or the check that each of them is drawn."""
        return self.hides_by_person or any(
            isinstance(layer.style, Style) and layer.style.needs_person for layer in self.layers
        )

    @property
    def needs_hands(self) -> bool:
        """Whether hands before faces must be found: the look draws features, paints lips or swaps faces."""
        return any(
            layer.medium is not None or layer.region == "lips" or (isinstance(layer.style, Style) and layer.style.swaps)
            for layer in self.layers
        )

    @property
    def final_fallback(self) -> str:
        """What is shown without a face when no earlier frame can be held: "raw", "blur" or "card"."""
        return self.then if self.no_face == "hold" else self.no_face

    @property
    def region_drawn_without_faces(self) -> str:
        """The region that the strongest drawn layers cover without any face: "frame" or "person"; else ""."""
        drawn = [
            (layer.style.region, layer.strength)
            for layer in self.layers
            if isinstance(layer.style, Style) and layer.style.covers
        ]
        max_strength = max((strength for _, strength in drawn), default=0.0)
        regions = {region for region, strength in drawn if strength >= max_strength}
        return next((region for region in FRAME_REGIONS if region in regions), "")

    @property
    def needs_everyone(self) -> bool:
        """Whether every person on the frame must be found: those whom no layer draws must be covered."""
        hides = self.covers and self.final_fallback != "raw" and self.region_drawn_without_faces != "frame"
        return hides or self.hides_by_person


def find_look(looks: Mapping[str, Look], name: str) -> Look:
    """Return the look of that name. Raises LookError if there is none; the message suggests similar names."""
    if name in looks:
        return looks[name]
    do = did_you_mean(name, looks, otherwise=f"looks are {', '.join(looks)}")
    raise LookError(f"look {name!r}", "there is no such look", do)


def for_everyone(look: Look) -> Look:
    """Return a look whose layers are for all persons, to show what it does."""
    return replace(look, layers=tuple(replace(layer, only=(), excepted=()) for layer in look.layers), people=())


def for_people(look: Look, only: Sequence[str], others: str) -> Look:
    """Return a look whose layers are for some people only, except layers that name people themselves.

    Raises LookError if a layer draws the whole frame.
    """
    if any(layer.region == "frame" and not layer.chosen for layer in look.layers):
        do = "choose a look that draws persons, such as toon"
        raise LookError(f"--only with look {look.name!r}", "it draws the whole frame, not a person", do)
    layers = tuple(layer if layer.chosen else replace(layer, only=tuple(only)) for layer in look.layers)
    look = replace(look, layers=layers, others=others, people=tuple(only))
    if look.no_face == "raw" and others == "blur":
        return replace(look, no_face="hold", hold_s=HOLD_S, then="blur")
    return look
