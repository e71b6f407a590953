"""Feeds of the files that engines, looks and training read."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz import samples
from tests.fuzz.target import Feed


def looks(folder: Path) -> Feed:
    from engines.looks_file import load_looks

    path = folder / "looks.toml"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        load_looks(path)

    return feed


def _style_folder() -> Path:
    from engines import paths

    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def card(_folder: Path) -> Feed:
    from engines.style_lookup import load_style

    home = _style_folder()
    (home / "mine.safetensors").write_bytes(samples.weights()[0])

    def feed(data: bytes) -> None:
        (home / "mine.json").write_bytes(data)
        load_style("mine").load_generator()

    return feed


def weights(_folder: Path) -> Feed:
    from engines.style_lookup import load_style

    home = _style_folder()
    (home / "mine.json").write_bytes(samples.cards()[0])
    style = load_style("mine")

    def feed(data: bytes) -> None:
        # A new file each time, because the previous one may still be mapped into memory.
        (home / "next").write_bytes(data)
        (home / "next").replace(style.weights)
        style.load_generator()

    return feed


def manifest(_folder: Path) -> Feed:
    from engines.cache import cache_entry

    entry = cache_entry.cache_home() / "k"
    entry.mkdir(parents=True, exist_ok=True)
    (entry / "model.xml").write_bytes(b"<net/>")

    def feed(data: bytes) -> None:
        (entry / cache_entry.MANIFEST).write_bytes(data)
        cache_entry.find_damage(entry, "k")
        (found,) = cache_entry.entries()
        assert isinstance(found.verdict, str)
        assert isinstance(cache_entry.verdict("k"), str)

    return feed


def machine_choice(_folder: Path) -> Feed:
    from engines.looks_file import load_looks
    from engines.runtime import autotune_choice
    from engines.style_lookup import load_style

    autotune_choice.choice_file().parent.mkdir(parents=True, exist_ok=True)
    style, look = load_style("toon"), load_looks()["toon"]

    def feed(data: bytes) -> None:
        autotune_choice.choice_file().write_bytes(data)
        autotune_choice.engine_choice(style)
        assert autotune_choice.with_chosen_sizes(look).name == "toon"
        assert autotune_choice.stale_message().isprintable()

    return feed


def failure(_folder: Path) -> Feed:
    from engines.build import failed_builds
    from engines.cache.cache_entry import cache_home
    from engines.style_lookup import load_style

    failed_builds.record_failure("k", "", load_style("toon"), "")  # creates the folder
    (record,) = cache_home().rglob("k.json")

    def feed(data: bytes) -> None:
        record.write_bytes(data)
        found = failed_builds.find_failure("k")
        if found is not None:
            assert f"{found} until {found.until}".isprintable()  # as in the list
        assert failed_builds.all_failures() == ([] if found is None else [found])

    return feed


def set_marker(folder: Path) -> Feed:
    from engines.cache.calibration_set import MARKER, marker

    def feed(data: bytes) -> None:
        (folder / MARKER).write_bytes(data)
        found = marker(folder)
        assert found is None or isinstance(found["digest"], str)

    return feed


def checkpoint(folder: Path) -> Feed:
    from engines.training.checkpoints.resume import CHECKPOINT, load_run

    def feed(data: bytes) -> None:
        (folder / "next").write_bytes(data)
        (folder / "next").replace(folder / CHECKPOINT)
        load_run(folder)

    return feed


def marker(folder: Path) -> Feed:
    from engines.untrusted_files import json_or_empty

    def feed(data: bytes) -> None:
        (folder / "made.json").write_bytes(data)
        assert isinstance(json_or_empty(folder / "made.json"), dict | None)

    return feed


def region(folder: Path) -> Feed:
    import cv2
    import numpy as np

    from engines.training.data.aligned import load_region

    cv2.imwrite(str(folder / "one.png"), np.zeros((32, 32, 3), np.uint8))

    def feed(data: bytes) -> None:
        (folder / "one.npz").write_bytes(data)
        load_region(folder, "one")

    return feed


def import_checkpoint(folder: Path) -> Feed:
    from engines.imports.checkpoint_file import read_groups
    from engines.imports.checkpoint_fit import converted, fit_groups
    from engines.imports.checkpoint_layouts import layout

    fast_style = layout("fast-style")

    def feed(data: bytes) -> None:
        (folder / "next").write_bytes(data)
        (folder / "next").replace(folder / "net.pt")
        groups = read_groups(folder / "net.pt")
        fit = fit_groups(groups, fast_style)
        assert converted(fit, groups[fit.group], fast_style)

    return feed


def import_onnx(folder: Path) -> Feed:
    from engines.imports.onnx_file import read_onnx, summarise

    (folder / "weights.bin").write_bytes(bytes(64))

    def feed(data: bytes) -> None:
        (folder / "net.onnx").write_bytes(data)
        whole = read_onnx(folder / "net.onnx")
        assert not summarise(whole).external

    return feed


def import_tflite(folder: Path) -> Feed:
    from engines.imports.tflite_file import check_tflite

    def feed(data: bytes) -> None:
        (folder / "net.tflite").write_bytes(data)
        check_tflite(folder / "net.tflite")

    return feed


def vgg(folder: Path) -> Feed:
    from engines.training.losses.perceptual import VggFeatures

    def feed(data: bytes) -> None:
        (folder / "vgg.npz").write_bytes(data)
        VggFeatures(folder / "vgg.npz")

    return feed
