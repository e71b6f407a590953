"""Options declared once: a frozen dataclass whose fields carry `Annotated[type, typer.Option(...)]`.

From that one declaration come the signature of a typer command (`with_options`), the check of a table of a TOML file
(`options_from_table`) and the check of ranges, whatever the origin of a value (`check_ranges`).

    @dataclass(frozen=True)
    class Options:
        fps: Annotated[float, typer.Option(help="Frames per second.", min=1, max=240)] = 30.0

        def __post_init__(self) -> None:
            check_ranges(self)

    @with_options(Options)
    def run(**given: Any) -> None:
        options = Options(**given)
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer

from engines import paths
from engines.errors import OptionsError
from engines.text import did_you_mean
from engines.untrusted_files import shown

_Command = TypeVar("_Command", bound=Callable[..., Any])
_CONTEXT = "_context"
_TOML_TYPES: dict[type, tuple[type, ...]] = {
    str: (str,),
    Path: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
}
_TOML_NAMES = {str: "a text", Path: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class OptionField(NamedTuple):
    """One field of an options class.

    Attributes:
        name: The field's name.
        key: The option's name without dashes in front, which is also the key in a TOML table ("max-faces").
        type: The type without `None`; the type of one element for a field that takes several values.
        several: Whether the field is a tuple or list of values.
        optional: Whether the value may be None.
        info: The `typer.Option` or `typer.Argument`.
        default: The default value, or `inspect.Parameter.empty`.
    """

    name: str
    key: str
    type: type
    several: bool
    optional: bool
    info: Any
    default: Any

    @property
    def label(self) -> str:
        """The option as written on the command line: "--max-faces", or the metavar of an argument."""
        is_argument = isinstance(self.info, typer.models.ArgumentInfo)
        return self.info.metavar or self.key.upper() if is_argument else f"--{self.key}"


@functools.cache
def option_fields(options_class: type) -> dict[str, OptionField]:
    """Return the annotated fields of an options class by name, in order; other fields are left out."""
    hints = typing.get_type_hints(options_class, include_extras=True)
    found = {}
    for field in dataclasses.fields(options_class):
        extras = getattr(hints[field.name], "__metadata__", ())
        info = next((extra for extra in extras if isinstance(extra, typer.models.ParameterInfo)), None)
        if info is not None:
            found[field.name] = _option_field(field, typing.get_args(hints[field.name])[0], info)
    return found


def _option_field(field: dataclasses.Field[Any], hint: Any, info: Any) -> OptionField:
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    several = typing.get_origin(hint) in (tuple, list) and info.parser is None
    element = typing.get_args(hint)[0] if several else str if info.parser is not None else hint
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return OptionField(
        field.name, _key(field.name, info), element, several, optional, info,
        inspect.Parameter.empty if default is dataclasses.MISSING else default,
    )  # fmt: skip


def _key(name: str, info: Any) -> str:
    """The first long name of an option ("--size/--no-size" as "size"), or the field's name with dashes."""
    flags = [flag for flag in (info.default, *(info.param_decls or ())) if isinstance(flag, str)]
    long_flags = [flag for flag in flags if flag.startswith("--")]
    return long_flags[0].split("/")[0][2:] if long_flags else name.replace("_", "-")


def with_options(options_class: type) -> Callable[[_Command], _Command]:
    """Give a typer command the options of a class in the place of its `**given` parameter.

    The command receives only the values given on the command line, by field name, so that the defaults stay in the
    class and other sources (a settings file) can come between.

    Args:
        options_class: A dataclass with annotated fields.
    """
    offered = list(option_fields(options_class).values())

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_given(**values: Any) -> Any:
            context = values.pop(_CONTEXT, None)
            for field in offered:
                if context is not None and context.get_parameter_source(field.name).name == "DEFAULT":
                    values.pop(field.name)
                elif field.name in values:
                    values[field.name] = _from_command_line(field, values[field.name])
            return command(**values)

        own = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for one in inspect.signature(command, eval_str=True).parameters.values()
            if one.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        context = inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters = [_parameter(field) for field in offered]
        with_given.__signature__ = inspect.Signature([*own, context, *parameters])  # type: ignore[attr-defined]
        with_given.__annotations__ = {}
        return typing.cast(_Command, with_given)

    return decorate


def _parameter(field: OptionField) -> inspect.Parameter:
    """The parameter that typer reads; ranges and parsers are applied here and not by typer, for one form of message."""
    info = copy.copy(field.info)
    info.help = _help_with_range(field)
    info.min = info.max = info.parser = None
    annotation: Any = list[field.type] if field.several else field.type  # type: ignore[name-defined]
    default = field.default
    if field.several and default is not inspect.Parameter.empty:
        default = list(default or ()) or None
    elif field.info.parser is not None and default is not None:
        default = str(default)
    if default is None:
        annotation = annotation | None
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=default, annotation=Annotated[annotation, info])


def _help_with_range(field: OptionField) -> str | None:
    if field.info.min is None and field.info.max is None:
        return typing.cast("str | None", field.info.help)
    return f"{(field.info.help or '').rstrip('.')} ({_range_of(field)})."


def _range_of(field: OptionField) -> str:
    low, high = field.info.min, field.info.max
    if low is None or high is None:
        return f"at least {low}" if low is not None else f"at most {high}"
    return f"{low} to {high}"


def _from_command_line(field: OptionField, value: Any) -> Any:
    if field.info.parser is not None and isinstance(value, str):
        return field.info.parser(value)
    return tuple(value or ()) if field.several else value


def check_ranges(options: Any) -> None:
    """Check every number of an options value against the `min` and `max` of its declaration.

    Raises OptionsError if a number is out of range, or is not a number (NaN).
    """
    options_class: type = type(options)
    for field in option_fields(options_class).values():
        value = getattr(options, field.name)
        if not _in_range(field, value):
            requested = f"{value:g}" if abs(value) < 1e15 else shown(value)
            raise OptionsError(f"{field.label} {requested}", "out of range", f"use {_range_of(field)}")


def _in_range(field: OptionField, value: Any) -> bool:
    low, high = field.info.min, field.info.max
    if value is None or (low is None and high is None):
        return True
    return (low is None or low <= value) and (high is None or value <= high)  # False for NaN, too


def check_alternatives(
    command: str, given: Sequence[Sequence[str]], needed: Sequence[Sequence[str]], usage: str
) -> None:
    """Check that options of exactly one alternative are given, and all that it needs.

    Args:
        command: For messages.
        given: The given options of each alternative.
        needed: The options that each alternative needs.
        usage: What to write, for messages.
    """
    used = [index for index, names in enumerate(given) if names]
    if len(used) > 1:
        got = f"{min(given[used[1]])} together with {', '.join(sorted(given[used[0]]))}"
        raise OptionsError(command, got, f"the two cannot be combined: {usage}")
    if not used:
        raise OptionsError(command, f"neither {' nor '.join(names[0] for names in needed)}", usage)
    missing = sorted(set(needed[used[0]]) - set(given[used[0]]))
    if missing:
        names = ", ".join(sorted(given[used[0]]))
        raise OptionsError(command, f"{names} without {' and '.join(missing)}", usage)


def options_from_table(options_class: type, table: Mapping[str, Any], place: Callable[[str], str]) -> dict[str, Any]:
    """Read the values of a TOML table by field name; `place` returns the file and the line of a key for messages.

    Keys are the names of the options, with `-` or `_`, or the names of the fields. Raises OptionsError if a key is
    unknown, or a value has the wrong type or is out of range.
    """
    values = {}
    for key, value in table.items():
        field = field_of_key(options_class, key)
        if field is None:
            known = sorted(one.key for one in option_fields(options_class).values())
            do = did_you_mean(key, known, otherwise=f"keys are {', '.join(known)}")
            raise OptionsError(place(key), f"unknown key {shown(key)}", do)
        try:
            values[field.name] = _from_toml(field, value)
        except OptionsError as error:
            raise OptionsError(place(key), f"{key} = {shown(value)}: {error.got}", error.do) from error
    return values


def field_of_key(options_class: type, key: str) -> OptionField | None:
    """Return the field that a key of a TOML table sets."""
    fields = option_fields(options_class).values()
    return next((one for one in fields if key.replace("-", "_") in (one.name, one.key.replace("-", "_"))), None)


def _from_toml(field: OptionField, value: Any) -> Any:
    elements = value if field.several and isinstance(value, list) else [value]
    allowed = _TOML_TYPES[field.type]
    if field.type is str and str(field.default).isdigit():  # such as a camera number
        allowed = (str, int)
    if not elements or not all(type(one) in allowed for one in elements):
        expected = _TOML_NAMES[field.type] + (", or a list of them" if field.several else "")
        raise OptionsError(field.key, "of the wrong type" if elements else "an empty list", f"write {expected}")
    convert = field.info.parser or (paths.expanded if field.type is Path else field.type)
    converted = tuple(convert(one) for one in elements)
    if not all(_in_range(field, one) for one in converted):
        raise OptionsError(field.key, "out of range", f"use {_range_of(field)}")
    return converted if field.several else converted[0]
