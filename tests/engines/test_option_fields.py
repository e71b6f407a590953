"""One declaration gives the command line, the settings table and the checked value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from engines.errors import OptionsError
from engines.option_fields import check_ranges, options_from_table, with_options


@dataclass(frozen=True)
class Options:
    name: Annotated[str, typer.Argument(metavar="NAME")]
    rate: Annotated[float, typer.Option(min=1, max=240, help="Frames per second.")] = 30.0
    tags: Annotated[tuple[str, ...], typer.Option("--tag")] = ()
    shade: Annotated[int, typer.Option(parser=lambda text: int(text, 16))] = 255
    folder: Annotated[Path | None, typer.Option()] = None
    loud: Annotated[bool, typer.Option("--loud/--quiet")] = False
    derived: int = 0

    def __post_init__(self) -> None:
        check_ranges(self)


def given_by(*arguments: str) -> dict[str, Any]:
    """What a command receives from these arguments."""
    received: dict[str, Any] = {}
    app = typer.Typer()

    @app.command()
    @with_options(Options)
    def command(extra: Annotated[int, typer.Option()] = 7, **given: Any) -> None:
        """Do nothing."""
        received.update(given, extra=extra)

    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return received


def test_command_receives_only_what_was_given() -> None:
    assert given_by("ann") == {"name": "ann", "extra": 7}
    assert Options(name="ann").rate == 30.0


def test_values_arrive_in_the_types_of_the_class() -> None:
    arguments = ("ann", "--rate", "24", "--tag", "a", "--tag", "b", "--shade", "ff", "--folder", "x", "--loud")
    assert given_by(*arguments, "--extra", "1") == {
        "name": "ann",
        "rate": 24.0,
        "tags": ("a", "b"),
        "shade": 255,
        "folder": Path("x"),
        "loud": True,
        "extra": 1,
    }


def test_help_shows_defaults_and_ranges() -> None:
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @with_options(Options)
    def command(**given: Any) -> None:
        """Do nothing."""

    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    assert "Frames per second (1 to 240). [default: 30.0]" in text
    assert "derived" not in text


@pytest.mark.parametrize("rate", [0.5, 241.0, float("nan"), float("inf")])
def test_number_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(OptionsError, match=r"--rate .*out of range - use 1 to 240"):
        Options("ann", rate=rate)


def place(key: str) -> str:
    return f"line of {key}"


def test_table_is_read_into_the_types_of_the_class() -> None:
    table = {"rate": 24, "tag": ["a", "b"], "shade": "0f", "folder": "~/x", "loud": True}
    assert options_from_table(Options, table, place) == {
        "rate": 24.0,
        "tags": ("a", "b"),
        "shade": 15,
        "folder": Path.home() / "x",
        "loud": True,
    }
    assert options_from_table(Options, {"tag": "a"}, place) == {"tags": ("a",)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"rat": 1}, "unknown key 'rat' - did you mean 'rate'"),
        ({"zzzz": 1}, "unknown key 'zzzz' - keys are folder, loud, name"),
        ({"rate": "fast"}, "rate = 'fast': of the wrong type - write a number"),
        ({"rate": 1000}, "rate = 1000: out of range - use 1 to 240"),
        ({"loud": 1}, "loud = 1: of the wrong type - write true or false"),
        ({"tag": [1.5]}, r"tag = \[1.5\]: of the wrong type - write a text, or a list of them"),
        ({"tag": []}, r"tag = \[\]: an empty list - write a text"),
    ],
)
def test_wrong_table_entry_is_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=f"^line of {next(iter(table))}: {message}"):
        options_from_table(Options, table, place)
