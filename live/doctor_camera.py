"""The doctor's checks of devices: camera, virtual camera, screen and keys. Each returns (works, finding, remedy)."""

from __future__ import annotations

from pathlib import Path

from live.cover import card
from live.frame import Frame

Finding = tuple[bool, str, str]
_LOOPBACK = Path("/sys/module/v4l2loopback")


def camera() -> Finding:
    """Open the first camera and read some frames from it.

    Raises:
        SourceError: what is in the way, and the remedy.
    """
    from live.sources.camera import CameraSource

    source = CameraSource(0)
    try:
        info = source.open()
        frames = 0
        for _ in range(20):
            frame = source.read()
            if frame is None:
                break
            frames += 1
        rate = source.measured_fps
    finally:
        source.close()
    width, height = info.size_wh
    says = f"{info.name} gives {width}x{height}"
    says += f" at {rate:.1f} fps (measured)" if rate else ""
    return frames > 1, says, "" if frames > 1 else "try another camera"


def virtual_camera() -> Finding:
    """Open the virtual camera and send it one card.

    Raises:
        SinkError: what is in the way, and the exact steps for this system.
    """
    import time

    from live.sinks.virtual_camera import VirtualCameraSink

    sink = VirtualCameraSink()
    try:
        sink.open(size_wh=(1280, 720), fps=30.0)
        sink.send(Frame(card((1280, 720)), 0, time.monotonic()))
        device = sink.device
    finally:
        sink.close()
    caps = exclusive_caps()
    if caps is False:
        do = "Chrome and Meet do not list it: sudo modprobe -r v4l2loopback, then load it with exclusive_caps=1"
        return True, f"{device} takes frames, but was loaded without exclusive_caps", do
    return True, f"{device} takes frames" + (", exclusive_caps is on" if caps else ""), ""


def exclusive_caps() -> bool | None:
    """Whether v4l2loopback's first device shows itself as a mere camera; None where there is no such module."""
    try:
        return (_LOOPBACK / "parameters" / "exclusive_caps").read_text().strip().upper().startswith("Y")
    except OSError:
        return None


def window() -> Finding:
    """Whether a preview window has a screen to appear on.

    Raises:
        SinkError: it has none, and the remedy.
    """
    import cv2

    from live.sinks.display import check_screen

    check_screen()
    return True, f"HighGUI through {cv2.currentUIFramework() or 'the system'}", ""


def global_keys() -> Finding:
    """Listen for keys for a moment.

    Raises:
        OptionsError: what is in the way, and what does the same.
    """
    from live.global_hotkeys import GlobalHotkeys

    keys = GlobalHotkeys(lambda command: None, ("none",))
    try:
        keys.start()
    finally:
        keys.stop()
    return True, "Ctrl+Alt+key is heard in every window", ""
