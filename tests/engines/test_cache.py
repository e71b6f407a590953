"""Converted engines on disk: found when whole, thrown away when cut or edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import cache


def fill(folder: Path) -> None:
    (folder / "model.xml").write_text("graph")
    (folder / "model.bin").write_bytes(bytes(1000))


def test_what_was_stored_is_found() -> None:
    key = cache.key(weights="a", shape=[90, 30])
    assert cache.find(key) is None
    stored = cache.store(key, fill)
    assert stored is not None
    assert cache.find(key) == stored
    assert (stored / "model.xml").read_text() == "graph"


def test_every_part_makes_another_key() -> None:
    base = {"weights": "a", "source": "b", "shape": [1, 2]}
    keys = {cache.key(**base), *(cache.key(**{**base, name: "other"}) for name in base)}
    assert len(keys) == 4


@pytest.mark.parametrize("harm", ["cut", "edited", "missing", "manifest"])
def test_a_harmed_entry_is_thrown_away(harm: str) -> None:
    key = cache.key(weights=harm)
    entry = cache.store(key, fill)
    assert entry is not None
    if harm == "cut":
        (entry / "model.bin").write_bytes(bytes(10))
    elif harm == "edited":
        (entry / "model.xml").write_text("other")
    elif harm == "missing":
        (entry / "model.bin").unlink()
    else:
        (entry / "manifest.json").write_text("[1, 2")
    assert cache.find(key) is None
    assert not entry.exists()
    assert cache.store(key, fill) is not None


def test_a_writer_that_fails_leaves_nothing() -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device")

    key = cache.key(weights="full disk")
    assert cache.store(key, fail) is None
    assert cache.find(key) is None
