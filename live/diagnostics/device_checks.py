"""The doctor's checks of devices: camera, virtual camera, screen and keys. Each returns (works, finding, remedy)."""

from __future__ import annotations

import contextlib
import sys

from live.pipeline.frame import Frame
from live.render.privacy_fallback import card

Finding = tuple[bool, str, str]
_LOOKED_AT = 20  # frames, after the first


def camera() -> Finding:
    """Open the first camera and read some frames from it.

    Raises:
        SourceError: what is in the way, and the remedy.
    """
    from live.sources.camera_source import CameraSource

    source = CameraSource(0)
    try:
        info = source.open()
        frames = 0
        with contextlib.suppress(TimeoutError):  # it fell silent: what came before it counts
            while frames < _LOOKED_AT and source.read() is not None:
                frames += 1
        rate = source.measured_fps
    finally:
        source.close()
    width, height = info.size_wh
    says = f"{info.name} gives {width}x{height}"
    says += f" at {rate:.1f} fps (measured)" if rate else ""
    if frames < _LOOKED_AT:
        says += f", but fell silent after {frames + 1} pictures"
        return False, says, "unplug it and plug it in again; on a hub, try a port of the computer itself"
    return True, says, ""


def virtual_camera() -> Finding:
    """Open the virtual camera and send it one card.

    Raises:
        SinkError: what is in the way, and the exact steps for this system.
    """
    import time

    from live.sinks.virtual_camera import VirtualCameraSink
    from live.sinks.virtual_camera_help import RELOAD_MODULE
    from live.sources.camera_devices import is_capture_only

    sink = VirtualCameraSink()
    try:
        sink.open(size_wh=(1280, 720), fps=30.0)
        sink.send(Frame(card((1280, 720)), 0, time.monotonic()))
        device, mere_camera = sink.device, is_capture_only(sink.device)  # it looks otherwise while nothing is sent
    finally:
        sink.close()
    if mere_camera is False:
        do = f"Chrome, Meet and Teams do not list it: close what uses it, then {RELOAD_MODULE}"
        return True, f"{device} takes frames, but was loaded without exclusive_caps", do
    return True, f"{device} takes frames" + (", exclusive_caps is on" if mere_camera else ""), ""


def idle() -> Finding:
    """Whether the webcam can be released while nobody reads the virtual camera."""
    from live.options import LiveOptions
    from live.pipeline.viewer_presence import why_not
    from live.sinks.virtual_camera_help import explain_open_failure, loopback_devices

    why, _ = why_not(LiveOptions(), live=True, system=sys.platform)
    if why:
        return False, f"{why}, so the webcam stays on", "end veneer while nobody is to see you"
    if not loopback_devices():
        why, do = explain_open_failure(None, "")
        return False, f"{why}, and nothing else tells whether somebody reads, so the webcam stays on", do
    return True, "the webcam is released while nobody reads the virtual camera (--no-idle keeps it on)", ""


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
    from live.control.global_hotkeys import GlobalHotkeys

    keys = GlobalHotkeys(lambda command: None, ("none",))
    try:
        keys.start()
    finally:
        keys.stop()
    return True, "Ctrl+Alt+key is heard in every window", ""
