"""`veneer train STYLE` in this process, with options for a training of a second."""

from __future__ import annotations

from typer.testing import CliRunner

from calibration.train_command import train

QUICK = (
    "--steps", "4", "--crop", "32", "--batch", "2", "--arg", "channels=4", "--arg", "blocks=1", "--threads", "1",
    "--precision", "32-true", "--workers", "0",
)  # fmt: skip


def call(*options: object) -> str:
    """What the command prints; errors are raised."""
    result = CliRunner().invoke(
        train, [str(option) for option in options], catch_exceptions=False, standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result.output
