"""The table `[obs]` of the settings file: where OBS is, and which look belongs to which of its scenes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engines.errors import OptionsError
from engines.text import did_you_mean
from engines.untrusted_files import shown
from live.control.controls import find_look
from live.settings import read_settings, settings_file

_KEYS = ("address", "password", "scenes")
_ADDRESS = "127.0.0.1:4455"  # the usual one
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class ObsSettings:
    """How OBS is reached.

    Attributes:
        address: Host and port of its WebSocket server.
        password: Of that server; "" for none.
        looks: The look of each scene that has one; several scenes may have the same.
    """

    address: str
    password: str = field(repr=False)
    looks: Mapping[str, str]

    def scene_of(self, look: str) -> str | None:
        """Return the first scene with a look."""
        return next((scene for scene, one in self.looks.items() if one == look), None)


def load_obs_settings(look_names: Sequence[str] | None = None) -> ObsSettings:
    """Read the table.

    Args:
        look_names: All looks, for a run that needs the table; None to check its form only.

    Raises:
        OptionsError: A key or value is wrong (the message names its line, not the password), or no scene has a look.
    """
    file = read_settings()
    table = file.tables.get("obs", {})

    def place(*keys: str) -> str:
        return f"settings file {file.place('obs', *keys)}"

    for key in table:
        if key not in _KEYS:
            do = did_you_mean(key, _KEYS, otherwise=f"keys are {', '.join(_KEYS)}")
            raise OptionsError(place(key), f"unknown key {shown(key)}", do)
    address, password, scenes = (table.get(key, other) for key, other in zip(_KEYS, (_ADDRESS, "", {}), strict=True))
    parts = _HOST_PORT.fullmatch(address) if isinstance(address, str) else None
    if parts is None or int(parts[2]) > 65535:
        raise OptionsError(place("address"), f"address = {shown(address)}", 'write "HOST:PORT", as "127.0.0.1:4455"')
    if not isinstance(password, str):
        raise OptionsError(place("password"), "the password is not a text", "write it between quotation marks")
    if not isinstance(scenes, dict):
        raise OptionsError(place("scenes"), "not a table", 'write [obs.scenes], then lines as "My scene" = "toon"')
    looks = {scene: _look_of(look, look_names, place("scenes", scene)) for scene, look in scenes.items()}
    if look_names is not None and not looks:
        do = f'write [obs.scenes] into {settings_file()}, then lines as "My scene" = "toon"'
        raise OptionsError("--obs", "no scene has a look", do)
    return ObsSettings(address, password, looks)


def _look_of(look: object, look_names: Sequence[str] | None, place: str) -> str:
    if not isinstance(look, str):
        raise OptionsError(place, f"{shown(look)} is not a look", "write the name of a look")
    try:
        return look if look_names is None else find_look(look, look_names)
    except OptionsError as error:
        raise OptionsError(f"{place}, {error.asked}", error.got, error.do) from error
