"""Config of a training that learns the look of one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engines.cache.cache_entry import file_digest
from engines.errors import OptionsError, os_errors
from engines.training.methods.paired import PairedConfig


@dataclass(frozen=True, kw_only=True)
class StyleFileConfig(PairedConfig):
    """Config of a training with a style picture.

    Attributes:
        style_file: The file of the picture, that of --style-picture.
        style_sha256: Of that file; a resumed training takes no other one.

    Raises:
        OptionsError: The file is not readable, or is not that of the training that is resumed.
    """

    style_file: Path | None = None
    style_sha256: str = ""
    local = ("workers", "vgg", "style_file")  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.style_file is None:
            return
        asked = f"--style-picture {self.style_file}"
        with os_errors(asked, "check the path"):
            digest = file_digest(self.style_file)
        if self.style_sha256 not in ("", digest):
            do = "name that one, or start over with --again"
            raise OptionsError(asked, "the training began with another picture", do)
        object.__setattr__(self, "style_sha256", digest)
