"""constraints.txt pins the exact version of everything that is installed for the program and its tests."""

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
    """The names and versions that apply to this Python."""
    applicable = [line for line in LINES if line.marker is None or line.marker.evaluate()]
    found = {canonicalize_name(line.name): next(iter(line.specifier)).version for line in applicable}
    assert len(found) == len(applicable), "a name is pinned twice"
    return found


def add_needed(name: str, extras: frozenset[str], seen: dict[str, metadata.Distribution]) -> None:
    """Add to `seen` all distributions that one requires on this system, directly or not."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise AssertionError(f"{name} is required and not installed") from None
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        key = canonicalize_name(requirement.name)
        if key == canonicalize_name(name):  # an extra that names others of its own, as [dev] does
            add_needed(name, frozenset(requirement.extras), seen)
        elif key not in seen:
            seen[key] = metadata.distribution(requirement.name)
            add_needed(requirement.name, frozenset(requirement.extras), seen)


def test_every_line_is_one_exact_version() -> None:
    for line in LINES:
        (version,) = line.specifier
        assert version.operator == "==" and "*" not in version.version, str(line)


def test_pinned_versions_are_the_installed_ones() -> None:
    assert default_environment()["python_version"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    seen: dict[str, metadata.Distribution] = {}
    add_needed("veneer", frozenset({"dev"}), seen)
    assert "torch" in seen and "pytest" in seen
    versions = pinned()
    off = {
        name: f"installed {found.version}, pinned {versions.get(name, 'not at all')}"
        for name, found in seen.items()
        if versions.get(name) != found.version.partition("+")[0]  # PyTorch without CUDA is 2.13.0+cpu
    }
    if sys.platform == "linux":  # other systems need other packages
        assert off == {}


def test_install_commands_use_the_constraints() -> None:
    """Those of the README, with the test command, which CI runs."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL))
    installs = [line for line in commands.splitlines() if re.search(r"pip install .*(\s\.|'\.\[)", line)]
    assert len(installs) >= 2
    assert [line for line in installs if "-c constraints.txt" not in line] == []
    assert "<!-- test-command -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
