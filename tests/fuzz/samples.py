"""Valid inputs for every parser, generated here; small, because small inputs are mutated more thoroughly."""

from __future__ import annotations

import io
import json
import tempfile
import time
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

TOML_WORDS = tuple(
    b"[looks.|[run]|about = |layers = |style = |strength = |color = |finish = |region = |no_face = |hold_s = |then = |"
    b'"hold"|"blur"|"card"|"shade"|"lips-glaze"|"toon"|"#b3122b"|inf|nan|true|"""|1e9|[[|{|},|source|sink|size|fps'.split(
        b"|"
    )
)
JSON_WORDS = tuple(
    b'{"|":|,"|[]|{}|null|true|NaN|Infinity|1e999|\\ud800|"words"|"ok"|"says"|"error"|"parts"|"look"|"strength"|'
    b'"generator"|"generator_args"|"region"|"size_wh"|"output"|"lips_mean_bgr"|"shape"|"dtype"|"data_offsets"|"F32"|'
    b'"__metadata__"|"files"|"key"|"verdict"'.split(b"|")
)
PICTURE_WORDS = (
    b"\x89PNG\r\n\x1a\n", b"IHDR", b"IDAT", b"iCCP", b"eXIf", b"acTL", b"\xff\xd8\xff", b"\xff\xc0", b"\xff\xc2",
    b"\xff\xda", b"\xff\xe1", b"Exif\0\0", b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"EXIF", b"II*\0", b"MM\0*",
    b"BM", b"\x12\x01", b"\xff\xff\xff\x7f", b"fcTL", b"fdAT", b"ANIM", b"ANMF", b"GIF89a", b"\x21\xf9\x04", b"\x2c",
    b"NETSCAPE2.0", b"ftypavif", b"ftypavis", b"ftypheic", b"ispe", b"iloc", b"ipma", b"irot", b"grid", b"colr",
)  # fmt: skip
VIDEO_WORDS = (
    b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"mdia", b"stsd", b"stts", b"stsz", b"stco", b"mdat", b"elst",
    b"avc1", b"\x1aE\xdf\xa3", b"RIFF", b"AVI ", b"LIST", b"strh", b"idx1", b"\0\0\0\1", b"\xff\xff\xff\xff",
)  # fmt: skip
CARD: dict[str, Any] = {
    "generator": "toon_net",
    "generator_args": {"channels": 4, "deep": 4, "blocks": 1},
    "region": "head",
    "size_wh": [256, 256],
    "output": "picture",
}


def looks() -> list[bytes]:
    """The form of the shipped file, and corner cases of the format."""
    return [
        b'[looks.mine]\nabout = "my own"\nlayers = [{ style = "lips-glaze", strength = 0.9 }]\nno_face = "raw"\n',
        b'[looks.red]\nlayers = [{ style = "shade", color = "#b3122b", finish = "gloss" }]\n',
        b'[looks.drawn]\nlayers = [\n{ style = "toon", region = "person" },\n]\n'
        b'no_face = "hold"\nhold_s = 0.5\nthen = "card"\n',
        b'[looks]\nnone = { layers = [], hold_s = inf }\n"two words" = { layers = [{ style = "toon" }] }\n',
    ]


def settings() -> list[bytes]:
    return [
        b'[run]\nsource = 0\nlook = "glaze"\nsink = ["virtual-camera", "window"]\nsize = "1280x720"\nfps = 29.97\n',
        b'[run]\nmax_faces = 2\nstrength = 0.5\nmirror = true\nframes = 9\nreport = "~/r.json"\nruntime = "torch"\n',
        b'[apply]\nlook = "toon"\nencoder = "libx265"\nquality = 24\nsize = "640x360"\nno-clobber = true\n',
        b'[obs]\naddress = "localhost:4455"\npassword = "x"\n[obs.scenes]\n"Talk" = "toon"\n',
        b'[run]\nface_model = "~nobody/x.task"\nlooks_file = "/tmp/x.toml"\nglobal-hotkeys = false\n',
    ]


def requests() -> list[bytes]:
    commands = (
        ["look", "glaze"],
        ["look", "2"],
        ["strength", "+"],
        ["strength", "0.5"],
        ["mirror", "on"],
        ["status"],
        [],
    )
    return [json.dumps({"words": words}).encode() + b"\n" for words in commands]


def answers() -> list[bytes]:
    sent = (
        {"ok": True, "says": "look glaze"},
        {"ok": False, "error": "a: b", "parts": ["a", "b", "c"]},
        {"ok": False, "error": "busy"},
    )
    return [json.dumps(answer).encode() + b"\n" for answer in sent]


def port_files() -> list[bytes]:
    return [json.dumps({"port": "4711", "token": "ab" * 32}).encode(), b'{"port": 1}']


def cards() -> list[bytes]:
    lips = {"generator": "lip_net", "region": "lips", "size_wh": [90, 30], "lips_mean_bgr": [90.0, 80.0, 160.0]}
    others = ({"generator": "pix2pix", "generator_args": {"channels": 4, "depth": 3}}, {"region": "frame"})
    return [json.dumps(card).encode() for card in (CARD, lips, *({**CARD, **other} for other in others))]


def weights() -> list[bytes]:
    from safetensors.torch import save

    from engines.generators.toon_net import ToonNet

    return [save(ToonNet(**CARD["generator_args"]).state_dict())]


def manifests() -> list[bytes]:
    digest = "0" * 64
    whole = {"key": "k", "files": {"model.xml": digest}, "style": "toon", "runtime": "openvino", "precision": "fp32"}
    more = {"built_at": "2026-11-20 14:03", "build_s": 1.5, "bytes": 6, "verdict": {"passed": False, "because": "dE"}}
    return [json.dumps(whole).encode(), json.dumps({**whole, **more}).encode()]


def machine_choices() -> list[bytes]:
    from engines.looks_file import load_looks
    from engines.runtime import autotune_choice
    from engines.style_lookup import load_style

    style, look = load_style("toon"), load_looks()["toon"]
    choice = autotune_choice.EngineChoice("openvino", "fp32", 2, 9.5, 11.0)
    engines = {autotune_choice.engine_name(style): autotune_choice.engine_entry(style, choice)}
    looks = {look.name: autotune_choice.look_entry(look)}
    whole = {"machine": autotune_choice.fingerprint(), "fps": 30.0, "engines": engines, "looks": looks}
    return [json.dumps(whole).encode()]


def failures() -> list[bytes]:
    """Records of today: a record is valid for a week and for one version of the program."""
    from dataclasses import asdict

    from engines.build.failed_builds import FailedBuild
    from engines.runtime.base import library_version

    at_s = time.time() // 86400 * 86400
    crashed = FailedBuild(
        "OpenVINO INT8", "toon", "256x256", "its builder crashed (SIGSEGV)", at_s, library_version("veneer")
    )
    return [json.dumps(asdict(crashed)).encode(), json.dumps(asdict(crashed) | {"at_s": 1.5}).encode()]


def set_markers() -> list[bytes]:
    return [b'{"digest": "0123456789abcdef", "cases": {"plain": 12}}']


def checkpoints() -> list[bytes]:
    import torch
    from safetensors.torch import save

    from engines.training.methods.paired import PairedConfig

    state = {
        "format": 2, "method": "paired", "config": PairedConfig().to_json(), "data": "x", "numbers": {}, "progress": {},
        "options": {},
    }  # fmt: skip
    return [save({"best.w": torch.zeros(2, 2)}, {"state": json.dumps(state)})]


def import_checkpoints() -> list[bytes]:
    """A small checkpoint of fast neural style: as an archive, in the old format, and as safetensors."""
    import torch
    from safetensors.torch import save

    from tests.support.foreign_networks import Foreign, fast_style

    state = Foreign(fast_style, channels=2, blocks=1).state
    files = [save(state)]
    for archived in (True, False):
        packed = io.BytesIO()
        torch.save({"params": state}, packed, _use_new_zipfile_serialization=archived)
        files.append(packed.getvalue())
    return files


def import_graphs() -> list[bytes]:
    """A small network, and one with a tensor in another file."""
    import numpy as np

    from benchmarks.common.onnx_writer import fast_style, model, node, tensor

    place = {"location": "weights.bin", "offset": 4, "length": 12}
    outside = [tensor("c", np.zeros((3, 1, 1), np.float32), external=place)]
    shape = ("n", 3, 64, 64)
    return [fast_style(2, 1), model([node("Add", ["x", "c"], "z")], outside, {"x": shape}, {"z": shape})]


def import_tflites() -> list[bytes]:
    from tests.support.tflite_writer import LOGISTIC, TANH, unary_model

    return [unary_model([TANH]), unary_model([LOGISTIC, TANH])]


def regions() -> list[bytes]:
    import numpy as np

    arrays: dict[str, Any] = {
        "landmarks_xy": np.ones((478, 2), np.float32),
        "person": np.zeros((128, 128), np.uint8),
        "kind": np.array("head"),
        "inner": np.array((0, 0, 32, 32), np.float32),
    }
    small, plain = io.BytesIO(), io.BytesIO()
    np.savez_compressed(small, **arrays)
    np.savez(plain, **{**arrays, "person": np.zeros((8, 8), np.uint8)})
    return [small.getvalue(), plain.getvalue()]


def vggs() -> list[bytes]:
    """VGG-19 up to relu3_1 with zero weights (a few kB compressed), and a truncated one."""
    import numpy as np

    shapes = [(3, 3, 1, 1), (64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 128, 3, 3), (256, 128, 3, 3)]
    layers = {f"{i}.weight": np.zeros(shape, np.float32) for i, shape in enumerate(shapes)}
    layers |= {f"{i}.bias": np.zeros(shape[0], np.float32) for i, shape in enumerate(shapes)}
    whole, short = io.BytesIO(), io.BytesIO()
    np.savez_compressed(whole, **layers)
    np.savez(short, **{name: array for name, array in layers.items() if name.startswith("0.")})
    return [whole.getvalue(), short.getvalue()]


def tasks() -> list[bytes]:
    """Bundles in the form of MediaPipe: stored members, each with the signature of a TensorFlow Lite file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        for name in ("face_detector", "face_landmarks_detector", "face_blendshapes"):
            bundle.writestr(f"{name}.tflite", b"\x1c\0\0\0TFL3" + bytes(40))
    return [packed.getvalue()]


def pictures() -> list[bytes]:
    """One picture of every kind, with and without transparency, 16 bits, palette, orientation, profile, animation."""
    import numpy as np
    from PIL import Image, ImageCms
    from pillow_heif import register_heif_opener

    register_heif_opener()
    rng = np.random.default_rng(1)
    rgb = Image.fromarray(rng.integers(0, 255, (9, 13, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = [
        *((rgb, kind, {"exif": exif}) for kind in ("png", "jpeg", "webp", "tiff")),
        (rgb, "bmp", {}),
        (rgb, "webp", {"lossless": True}),
        (rgb, "jpeg", {"progressive": True}),
        (rgb, "tiff", {"compression": "tiff_lzw"}),
        (rgb, "tiff", {"compression": "tiff_deflate"}),
        (rgb.convert("RGBA"), "png", {"icc_profile": b"profile" * 20}),
        (rgb.convert("RGBA"), "webp", {}),
        (rgb.convert("P"), "png", {}),
        (rgb.convert("L"), "bmp", {}),
        (rgb.convert("CMYK"), "jpeg", {}),
        (Image.fromarray(rng.integers(0, 65535, (5, 7), np.uint16)), "png", {}),
        (rgb, "png", {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}),
        (rgb.convert("P"), "gif", {}),
        (rgb, "avif", {"exif": exif}),
        (rgb, "heif", {"exif": exif}),
    ]
    more = {"save_all": True, "append_images": [rgb.rotate(180), rgb.rotate(90)], "duration": 40}
    made += [(rgb, kind, more) for kind in ("png", "webp", "gif", "avif")]
    files = []
    for picture, kind, options in made:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        files.append(file.getvalue())
    return files


def videos() -> list[bytes]:
    """Three frames each, in common containers and codecs."""
    import av
    import numpy as np

    rng = np.random.default_rng(1)
    files = []
    for suffix, codec, options in (
        ("mp4", "libx264", {}), ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}), ("mp4", "mpeg4", {}),
        ("mkv", "libx264", {}), ("avi", "mjpeg", {}), ("webm", "libvpx", {}), ("h264", "libx264", {}),
        ("ts", "mpeg2video", {}), ("gif", "gif", {}), ("y4m", "wrapped_avframe", {}),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as top:
            path = Path(top) / f"clip.{suffix}"
            with av.open(str(path), "w", options=options) as container:
                stream = container.add_stream(codec, rate=25)
                stream.width = stream.height = 16
                stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
                stream.codec_context.time_base = Fraction(1, 25)
                for index in range(3):
                    picture = rng.integers(0, 255, (16, 16, 3), np.uint8)
                    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=stream.pix_fmt)
                    frame.pts = index
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            files.append(path.read_bytes())
    return files
