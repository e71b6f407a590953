"""Every parser of untrusted input as a fuzz target. Parsers are imported when a target is prepared."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from tests.fuzz import feeds_control as control
from tests.fuzz import feeds_engines as engines
from tests.fuzz import feeds_live as live
from tests.fuzz import samples
from tests.fuzz.mutations import mutate_json, mutate_media, mutate_npz, mutate_safetensors, mutate_toml
from tests.fuzz.target import Feed, Target

LOOKS = Target("looks TOML", engines.looks, samples.looks, samples.TOML_WORDS, mutate_toml)
SETTINGS = Target("settings TOML", live.settings, samples.settings, samples.TOML_WORDS, mutate_toml)
REQUEST = Target("control command", control.request, samples.requests, samples.JSON_WORDS, mutate_json)
ANSWER = Target("control answer", control.answer, samples.answers, samples.JSON_WORDS, mutate_json)
PORT_FILE = Target("port and token file", control.port_file, samples.port_files, samples.JSON_WORDS, mutate_json)
CARD = Target("style card", engines.card, samples.cards, samples.JSON_WORDS, mutate_json)
WEIGHTS = Target("style weights", engines.weights, samples.weights, samples.JSON_WORDS, mutate_safetensors)
MANIFEST = Target("cache manifest", engines.manifest, samples.manifests, samples.JSON_WORDS, mutate_json)
MACHINE_CHOICE = Target(
    "machine choice", engines.machine_choice, samples.machine_choices, samples.JSON_WORDS, mutate_json
)
FAILURE = Target("failed build", engines.failure, samples.failures, samples.JSON_WORDS, mutate_json)
SET_MARKER = Target("calibration set", engines.set_marker, samples.set_markers, samples.JSON_WORDS, mutate_json)
CHECKPOINT = Target(
    "training checkpoint", engines.checkpoint, samples.checkpoints, samples.JSON_WORDS, mutate_safetensors
)
MARKER = Target("pairs marker", engines.marker, samples.port_files, samples.JSON_WORDS, mutate_json)
REGION = Target("aligned region", engines.region, samples.regions, change=mutate_npz)
VGG = Target("VGG-19 weights", engines.vgg, samples.vggs, change=mutate_npz)
IMPORT_CHECKPOINT = Target("imported checkpoint", engines.import_checkpoint, samples.import_checkpoints)
IMPORT_ONNX = Target("imported ONNX", engines.import_onnx, samples.import_graphs)
IMPORT_TFLITE = Target("imported TFLite", engines.import_tflite, samples.import_tflites)
TASK = Target("face model bundle", live.task, samples.tasks)
PICTURE = Target("picture", live.picture, samples.pictures, samples.PICTURE_WORDS, mutate_media)
VIDEO = Target("video", live.video, samples.videos, samples.VIDEO_WORDS, mutate_media)

TARGETS: dict[str, Target] = {name: value for name, value in globals().items() if isinstance(value, Target)}


def _all(folder: Path) -> Feed:
    feeds: list[Feed] = []
    for name, target in TARGETS.items():
        place = folder / name
        place.mkdir()
        os.environ["VENEER_HOME"] = str(folder / "home")
        feeds.append(target.prepare(place))

    def feed(data: bytes) -> Any:
        return feeds[data[0] % len(feeds)](data[1:]) if data else None

    return feed


def _mutate_any(data: bytes, rng: random.Random) -> bytes:
    targets = list(TARGETS.values())
    change = targets[data[0] % len(targets)].change if data else None
    return data if change is None else data[:1] + change(data[1:], rng)


# All targets at once, for a short run: the first byte selects the target.
ALL = Target(
    "all",
    _all,
    lambda: [bytes([i]) + seed for i, target in enumerate(TARGETS.values()) for seed in target.seeds()],
    samples.TOML_WORDS + samples.JSON_WORDS,
    _mutate_any,
)
