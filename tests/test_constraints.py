"""constraints.txt says the exact version of everything that is installed for the program and its tests."""

from __future__ import annotations

import re
import sys
from importlib import metadata

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.root import ROOT

LINES = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def pinned() -> dict[str, str]:
    """The names and versions that count for this Python."""
    mine = [line for line in LINES if line.marker is None or line.marker.evaluate()]
    found = {canonicalize_name(line.name): next(iter(line.specifier)).version for line in mine}
    assert len(found) == len(mine), "a name is pinned twice"
    return found


def needed(name: str, extras: frozenset[str], seen: dict[str, metadata.Distribution]) -> None:
    """All distributions that one asks for, and those that they ask for, as far as they are for this system."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise AssertionError(f"{name} is asked for and not installed") from None
    for line in distribution.requires or ():
        wanted = Requirement(line)
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        key = canonicalize_name(wanted.name)
        if key == canonicalize_name(name):  # an extra that names others of its own, as [dev] does
            needed(name, frozenset(wanted.extras), seen)
        elif key not in seen:
            seen[key] = metadata.distribution(wanted.name)
            needed(wanted.name, frozenset(wanted.extras), seen)


def test_every_line_is_one_exact_version() -> None:
    for line in LINES:
        (version,) = line.specifier
        assert version.operator == "==" and "*" not in version.version, str(line)


def test_everything_that_veneer_and_its_tests_need_is_pinned_to_what_is_installed() -> None:
    assert default_environment()["python_version"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    seen: dict[str, metadata.Distribution] = {}
    needed("veneer", frozenset({"dev"}), seen)
    assert "torch" in seen and "pytest" in seen
    versions = pinned()
    off = {
        name: f"installed {found.version}, pinned {versions.get(name, 'not at all')}"
        for name, found in seen.items()
        if versions.get(name) != found.version.partition("+")[0]  # PyTorch without CUDA is 2.13.0+cpu
    }
    if sys.platform == "linux":  # other systems need other things, which nobody here could test
        assert off == {}


def test_the_ways_to_install_keep_to_it() -> None:
    """The README's commands, the tests' own among them, which is the one that CI runs."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL))
    installs = [line for line in commands.splitlines() if re.search(r"pip install .*(\s\.|'\.\[)", line)]
    assert len(installs) >= 2
    assert [line for line in installs if "-c constraints.txt" not in line] == []
    assert "<!-- test-command -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
