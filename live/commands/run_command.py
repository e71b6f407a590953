"""`veneer run`: the live program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    source: Annotated[str | None, typer.Option(help="Camera number, device, file, or demo.  [default: 0]")] = None,
    look: Annotated[str | None, typer.Option(help="Look to start with.  [default: glaze]")] = None,
    sink: Annotated[
        list[str] | None,
        typer.Option(
            help="virtual-camera[:DEVICE], window, file:PATH or null; may be given several times."
            "  [default: virtual-camera]"
        ),
    ] = None,
    size: Annotated[str | None, typer.Option(help="Asked of the camera and the demo.  [default: 1280x720]")] = None,
    fps: Annotated[float | None, typer.Option(help="Asked of camera and demo.  [default: 30]")] = None,
    max_faces: Annotated[int | None, typer.Option(help="1 to 4.  [default: 1]")] = None,
    strength: Annotated[float | None, typer.Option(help="0 to 1, on top of the look's own.  [default: 1]")] = None,
    mirror: Annotated[bool | None, typer.Option("--mirror/--no-mirror", help="Start mirrored.")] = None,
    frames: Annotated[int | None, typer.Option(help="Stop after so many frames.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write measured numbers to this JSON file.")] = None,
    runtime: Annotated[str | None, typer.Option(help="auto, tensorrt, openvino or torch.  [default: auto]")] = None,
    global_hotkeys: Annotated[
        bool | None, typer.Option("--global-hotkeys", help="Ctrl+Alt+key works in every window.")
    ] = None,
    face_model: Annotated[Path | None, typer.Option(help="Track with this FaceLandmarker .task file.")] = None,
    looks_file: Annotated[Path | None, typer.Option(help="A looks file instead of your own.")] = None,
    idle: Annotated[
        bool | None,
        typer.Option(
            "--idle/--no-idle",
            help="Release the webcam while nobody reads the virtual camera.  [default: where that can be known]",
        ),
    ] = None,
    build: Annotated[
        bool | None,
        typer.Option("--build/--no-build", help="Build better engines while the picture runs.  [default: build]"),
    ] = None,
    mic_delay: Annotated[
        bool | None,
        typer.Option("--mic-delay", help="Make a microphone that is as late as the picture, or say how late that is."),
    ] = None,
) -> None:
    """Put a look on a live face and send it on.

    Keys in the preview window: 1-9 looks, [ ] strength, M mirror, F freeze, B panic card, S snapshot, R record,
    H help, Q quit. The same from elsewhere: veneer ctl look glaze.
    """
    given = dict(locals())
    given["size_wh"], given["sinks"] = given.pop("size"), tuple(given.pop("sink") or ())
    from live.options import load_options
    from live.session import Session, say

    session = Session(load_options(given))
    result = session.run()
    say(
        f"{result['frames_out']} frames out, {result['dropped']} dropped, {result['fps']:.1f} fps, "
        f"latency p50 {result['latency_ms']['p50']:.1f} ms, p95 {result['latency_ms']['p95']:.1f} ms"
    )
