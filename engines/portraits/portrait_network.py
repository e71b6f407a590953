"""Networks that make pictures from noise, on disk: `NAME.safetensors` and the card `NAME.json`, and autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from engines.errors import OptionsError, VeneerError
from engines.generators import registry
from engines.generators.weights_file import load_weights, shapes_only
from engines.paths import portraits_dir
from engines.style_lookup import load_style, own_names
from engines.text import did_you_mean, first_line
from engines.training.data.labelled_pictures import label_of
from engines.untrusted_files import read_json, shown

if TYPE_CHECKING:
    from torch import Tensor

_WITH_LATENTS = ("autoencoder", "vae")  # methods of styles whose decoders make pictures
_NO_CARD = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, eq=False)
class PortraitNetwork:
    """A network that makes pictures from noise.

    Attributes:
        net: The generator in evaluation mode; its pictures are in 0..1.
        attributes: Values of each attribute of its labels.
        side_px: Width and height of its pictures.
    """

    name: str
    net: Any
    attributes: dict[str, tuple[str, ...]]
    side_px: int

    @property
    def styled(self) -> bool:
        """Whether it has a mapping network: styles, truncation and noise."""
        from engines.generators.style_layers import Styled

        return isinstance(self.net, Styled)

    def labels(self, asked: str, seeds: Sequence[int]) -> Tensor | None:
        """Return a label for each picture, (N, classes); None for a network without labels.

        Args:
            asked: "VALUE" or "ATTRIBUTE=VALUE,..."; attributes that are left out have a random value.
            seeds: Of the pictures.

        Raises OptionsError if a value is unknown, or the network has no labels.
        """
        import numpy as np
        import torch

        if not self.attributes:
            if asked:
                raise OptionsError(f"--class {shown(asked)}", f"{self.name} has no labels", "leave it out")
            return None
        chosen = {}
        for part in filter(None, asked.split(",")):
            name, equals, value = part.strip().partition("=")
            if not equals:
                name, value = next(iter(self.attributes)), name
            known = self.attributes.get(name, ())
            if value not in known:
                do = f"use {', '.join(known)}" if known else f"attributes are {', '.join(self.attributes)}"
                raise OptionsError(f"--class {shown(part)}", "there is no such label", do)
            chosen[name] = value
        rows = []
        for seed in seeds:
            random = np.random.default_rng(seed)
            drawn = {name: values[random.integers(len(values))] for name, values in self.attributes.items()}
            rows.append(label_of(self.attributes, {**drawn, **chosen}))
        return torch.from_numpy(np.stack(rows))


def load_portraits(name: str) -> PortraitNetwork:
    """Return a network by name: one from noise, or the decoder of a style of the method autoencoder or vae.

    Raises:
        OptionsError: There is none, or its card is not usable.
        LookError: The card of a style is not usable.
        EngineError: Its weights are not usable.
    """
    folder = portraits_dir()
    names = sorted(path.stem for path in folder.glob("*.json"))
    style = load_style(name) if name in own_names() and name not in names else None
    if style is not None and style.card.get("method") in _WITH_LATENTS:
        from engines.generators.autoencoder_net import Autoencoder, LatentDecoder

        trained = cast("Autoencoder", style.load_generator())
        return PortraitNetwork(name, LatentDecoder(trained), {}, trained.side)
    if name not in names:
        do = did_you_mean(name, names, otherwise=f"there are: {', '.join(names)}" if names else "")
        do = do or "train one with veneer train NAME --method stylegan2 --photos DIR"
        raise OptionsError(f"network {shown(name)}", f"there is none in {folder}", do)
    try:
        card = read_json(folder / f"{name}.json")
        generator, arguments = str(card["generator"]), card["generator_args"]
        attributes = {str(key): tuple(map(str, values)) for key, values in card.get("attributes", {}).items()}
        side_px = int(card["size_wh"][0])
        if registry.generator_spec(generator).inputs != ("latent",):
            raise ValueError(f"{generator} does not make pictures from noise")
        with shapes_only():
            net = registry.fresh_generator(generator, arguments)
        fits = int(arguments.get("classes", 0)) == sum(map(len, attributes.values()))
        if not fits or int(arguments.get("side_px", side_px)) != side_px:
            raise ValueError("its labels or its size are not those of the generator")
    except (*_NO_CARD, VeneerError) as error:
        got = f"its card is not usable ({first_line(error)})"
        raise OptionsError(f"network {name}", got, "train it again") from error
    return PortraitNetwork(name, load_weights(net, folder / f"{name}.safetensors").eval(), attributes, side_px)
