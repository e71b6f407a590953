"""The user's settings file: its tables, and the options in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines import paths, toml
from engines.errors import OptionsError, os_errors
from engines.option_fields import field_of_key, options_from_table
from engines.untrusted_files import shown

_TABLES = ("run", "apply", "obs")


def settings_file() -> Path:
    """Return the path of the user's settings file, which may not exist."""
    return paths.config_dir() / "settings.toml"


def read_settings() -> toml.TomlFile:
    """Read the settings file; without one there are no tables.

    Raises:
        OptionsError: It cannot be read, is not TOML, or has other tables than those of the program.
    """
    path = settings_file()
    if not path.exists():
        return toml.TomlFile(path, "", {})
    where = f"settings file {path}"
    try:
        with os_errors(where, "allow this user to read it, or delete it"):
            file = toml.read(path)
    except toml.TOMLDecodeError as error:
        raise OptionsError(where, f"not TOML: {error}", "correct that line") from error
    for key, table in file.tables.items():
        if key not in _TABLES or not isinstance(table, dict):
            got = f"{key} = {shown(table)} is not a table" if key in _TABLES else f"unknown table {shown(key)}"
            raise OptionsError(f"settings file {file.place(key)}", got, "use [run], [apply] and [obs]")
    return file


def read_options(options_class: type, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a table by field name of an options class, and the place of each; see `read_settings`."""
    file = read_settings()
    table = file.tables.get(name, {})

    def place(key: str) -> str:
        return f"settings file {file.place(name, key)}"

    values = options_from_table(options_class, table, place)
    places = {}
    for key, value in table.items():
        if (one := field_of_key(options_class, key)) is not None:
            places[one.name] = f"{place(key)}, {key} = {shown(value)}"
    for file_name in values.keys() & {"face_model", "looks_file"}:
        if not values[file_name].is_file():
            raise OptionsError(places[file_name], "there is no such file", "correct the path")
    return values, places
