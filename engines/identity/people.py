"""The enrolled people: a file of embeddings, without pictures, that only this user can read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines import paths
from engines.errors import OptionsError, os_errors
from engines.files import atomic_path
from engines.text import did_you_mean, first_line
from engines.untrusted_files import read_json, shown

_MAX_BYTES, _MAX_NAME = 20_000_000, 40
MOST_EMBEDDINGS = 24  # of one person and network

Vectors = NDArray[np.float32]


def people_file() -> Path:
    """Return the path of the file, which may not exist."""
    return paths.data_dir() / "people.json"


def check_name(name: str) -> str:
    """Return a person's name. Raises OptionsError if it is empty, too long or not printable."""
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable() or name != name.strip():
        do = f"use 1 to {_MAX_NAME} printable characters"
        raise OptionsError(f"person {shown(name)}", "not a name", do)
    return name


@dataclass(slots=True)
class People:
    """Embeddings of people by network.

    Attributes:
        known: Embeddings (N, features) of length 1, by the network's version and by name.
        thresholds: Squared distances by version, where the user calibrated them.
    """

    known: dict[str, dict[str, Vectors]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls) -> People:
        """Read the file; without one, no people. Raises OptionsError if it is not readable or damaged."""
        path = people_file()
        if not path.exists():
            return cls()
        asked, do = f"people in {path}", "delete the file and enroll again"
        try:
            found, people = read_json(path, _MAX_BYTES), cls()
            for version, entry in found["networks"].items():
                people.known[version] = {check_name(name): _vectors(rows) for name, rows in entry["people"].items()}
                if entry.get("threshold") is not None:
                    people.thresholds[version] = float(entry["threshold"])
        except (OptionsError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OptionsError(asked, f"not usable ({first_line(error)})", do) from error
        return people

    def save(self) -> None:
        """Write the file, readable by this user only. Raises OptionsError."""
        path = people_file()
        networks: dict[str, Any] = {
            version: {
                "threshold": self.thresholds.get(version),
                "people": {name: np.round(rows.astype(float), 5).tolist() for name, rows in sorted(people.items())},
            }
            for version, people in self.known.items()
            if people
        }
        with os_errors(f"people in {path}", "make room, or allow this user to write there"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as part:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
                    json.dump({"networks": networks}, file)

    def of(self, version: str) -> Mapping[str, Vectors]:
        """Return the people that a network knows, with their embeddings."""
        return self.known.get(version, {})

    def enroll(self, version: str, name: str, embeddings: Vectors) -> bool:
        """Put a person's embeddings in the place of earlier ones of that network.

        A calibrated threshold, which was that of other people, is discarded; return whether there was one.
        """
        self.known.setdefault(version, {})[check_name(name)] = embeddings[:MOST_EMBEDDINGS]
        return self.thresholds.pop(version, None) is not None

    def remove(self, name: str) -> bool:
        """Remove a person from all networks, as `enroll`. Raises OptionsError if there is no such person."""
        if not any(name in people for people in self.known.values()):
            raise unknown_person(name, {one for people in self.known.values() for one in people})
        found = [version for version, people in self.known.items() if people.pop(name, None) is not None]
        discarded = [self.thresholds.pop(version, None) for version in found]
        return any(threshold is not None for threshold in discarded)


def unknown_person(name: str, known: set[str]) -> OptionsError:
    """Return the error for a name that is not enrolled."""
    others = f"enrolled are {', '.join(sorted(known))}" if known else f"enroll first: veneer enroll {name} PHOTO..."
    do = did_you_mean(name, sorted(known), otherwise=others)
    return OptionsError(f"person {name!r}", "not enrolled with this network", do)


def _vectors(rows: Any) -> Vectors:
    vectors = np.array(rows, np.float32)
    if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
        raise ValueError("embeddings have another form")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)  # type: ignore[no-any-return]
