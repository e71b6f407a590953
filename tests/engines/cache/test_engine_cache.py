"""The engine cache: complete entries are found, damaged ones deleted, and the least recently used trimmed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.said import Said

from engines.cache import cache_entry, engine_cache


def fill(folder: Path) -> None:
    (folder / "model.xml").write_text("graph")
    (folder / "model.bin").write_bytes(bytes(1000))


def test_a_stored_entry_is_found() -> None:
    key = engine_cache.cache_key(weights="a", shape=[90, 30])
    assert engine_cache.find(key) is None
    stored = engine_cache.store(key, fill)
    assert stored is not None
    assert engine_cache.find(key) == stored
    assert (stored / "model.xml").read_text() == "graph"


def test_every_part_makes_another_key() -> None:
    base = {"weights": "a", "source": "b", "shape": [1, 2]}
    keys = {engine_cache.cache_key(**base), *(engine_cache.cache_key(**{**base, name: "other"}) for name in base)}
    assert len(keys) == 4


@pytest.mark.parametrize("harm", ["cut", "edited", "missing", "manifest", "no key"])
def test_a_damaged_entry_is_deleted_and_reported(harm: str, said: Said) -> None:
    key = engine_cache.cache_key(weights=harm)
    entry = engine_cache.store(key, fill)
    assert entry is not None
    if harm == "cut":
        (entry / "model.bin").write_bytes(bytes(10))
    elif harm == "edited":
        (entry / "model.xml").write_text("other")
    elif harm == "missing":
        (entry / "model.bin").unlink()
    elif harm == "no key":
        (entry / "manifest.json").write_text('{"files": {}}')
    else:
        (entry / "manifest.json").write_text("[1, 2")
    assert engine_cache.find(key) is None
    assert len(said) == 1 and key[:8] in said[0] and said[0].endswith("it is deleted"), "no process builds it yet"
    assert list(entry.parent.iterdir()) == []
    assert engine_cache.store(key, fill) is not None


def test_an_entry_under_another_key_is_deleted(said: Said) -> None:
    here, there = engine_cache.cache_key(device="this one"), engine_cache.cache_key(device="another one")
    stored = engine_cache.store(there, fill)
    assert stored is not None
    stored.rename(stored.with_name(here))
    assert engine_cache.find(here) is None
    assert "stored under another key" in said[0]


def test_a_failed_write_leaves_no_entry() -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device")

    key = engine_cache.cache_key(weights="full disk")
    assert engine_cache.store(key, fail) is None
    assert engine_cache.find(key) is None
    assert list(cache_entry.cache_home().iterdir()) == []


def test_a_full_disk_keeps_the_old_entry() -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    key = engine_cache.cache_key(weights="full disk")
    stored = engine_cache.store(key, fill)
    assert engine_cache.store(key, fail) == stored == engine_cache.find(key)


def test_of_two_equal_entries_the_first_stays() -> None:
    key = engine_cache.cache_key(weights="twice")
    first = engine_cache.store(key, fill, about=cache_entry.EntryDescription(style="first"))
    assert engine_cache.store(key, fill, about=cache_entry.EntryDescription(style="second")) == first
    assert [entry.about.style for entry in cache_entry.entries()] == ["first"]


def test_the_manifest_describes_the_engine() -> None:
    about = cache_entry.EntryDescription(style="lips-glaze", runtime="tensorrt", precision="fp16", shape="90x30")
    key = engine_cache.cache_key(weights="a")
    engine_cache.store(key, fill, about=about, build_s=12.5)
    (entry,) = cache_entry.entries()
    assert (entry.key, entry.about) == (key, about)
    assert entry.build_s is not None and entry.build_s >= 12.5
    assert entry.size_bytes > 1005
    assert entry.built_at[:4].isdigit()
    assert entry.verdict == "uncalibrated"


def test_a_verdict_is_stored_and_deleted_with_its_entry() -> None:
    key = engine_cache.cache_key(weights="a")
    assert cache_entry.verdict(key) == "uncalibrated"
    entry = engine_cache.store(key, fill)
    assert entry is not None
    cache_entry.record_verdict(key, passed=False, because="mean dE 2.1, at most 0.5")
    assert cache_entry.verdict(key) == "failed: mean dE 2.1, at most 0.5"
    assert engine_cache.find(key) == entry, "the verdict is no harm"
    cache_entry.record_verdict(key, passed=True)
    assert [entry.verdict for entry in cache_entry.entries()] == ["passed"]
    engine_cache.discard(entry)
    assert engine_cache.store(key, fill) is not None
    assert cache_entry.verdict(key) == "uncalibrated", "other bytes, another verdict"


def stored_at(name: str, ago_s: float) -> str:
    key = engine_cache.cache_key(weights=name)
    entry = engine_cache.store(key, fill)
    assert entry is not None
    then = time.time() - ago_s
    os.utime(entry / "manifest.json", (then, then))
    return key


def test_trim_deletes_the_least_recently_used_first() -> None:
    old, used, new = stored_at("old", 300), stored_at("used", 400), stored_at("new", 100)
    assert engine_cache.find(used) is not None
    size = cache_entry.entries()[0].size_bytes
    engine_cache.trim(2 * size)
    assert [entry.key for entry in cache_entry.entries()] == [used, new]
    engine_cache.trim(0, keep=new)
    assert [entry.key for entry in cache_entry.entries()] == [new]
    assert engine_cache.find(old) is None


def test_storing_keeps_the_cache_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_cache, "LIMIT_BYTES", 3500)
    keys = [stored_at(f"engine {number}", 100 - number) for number in range(4)]
    assert [entry.key for entry in cache_entry.entries()] == keys[:1:-1]


def test_trim_deletes_only_old_temporary_folders() -> None:
    stored_at("some", 0)
    left, making = (cache_entry.cache_home() / name for name in (".making-dead", ".making-now"))
    for folder in (left, making):
        folder.mkdir()
        fill(folder)
    then = time.time() - 3 * 24 * 3600
    os.utime(left, (then, then))
    engine_cache.trim()
    assert not left.exists()
    assert making.exists()


def test_clear_deletes_damaged_entries_too() -> None:
    assert engine_cache.clear() == (0, 0)
    stored_at("one", 0)
    entry = engine_cache.find(stored_at("two", 0))
    assert entry is not None
    (entry / "manifest.json").write_text("?")
    assert [found.verdict for found in cache_entry.entries() if found.folder == entry] == ["damaged"]
    count, size = engine_cache.clear()
    assert count == 2 and size > 2010
    assert cache_entry.entries() == []


def test_a_read_only_cache_is_no_error(veneer_home: Path, said: Said) -> None:
    (veneer_home / "cache").write_text("a file where the folder should be")
    key = engine_cache.cache_key(weights="a")
    assert engine_cache.store(key, fill) is None
    assert engine_cache.find(key) is None
    assert cache_entry.entries() == []
    made = engine_cache.load_or_build(
        key,
        read=lambda folder: b"read",
        make=lambda: b"made",
        write=lambda made, folder: (folder / "plan").write_bytes(made),
        about=cache_entry.EntryDescription("lips-glaze"),
    )
    assert made == b"made"
    assert len(said) == 1 and "cannot be stored" in said[0]
