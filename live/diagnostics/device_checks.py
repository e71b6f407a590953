"""Checks of devices for `veneer doctor`: camera, virtual camera, screen and keys."""

from __future__ import annotations

import contextlib
import sys

from live.pipeline.frame import Frame
from live.render.privacy_fallback import card

Finding = tuple[bool, str, str]  # works, what was found, remedy
_MIN_FRAMES = 20  # after the first


def camera() -> Finding:
    """Open the first camera and read some frames.

    Raises:
        SourceError: The camera cannot be opened; the message names the remedy.
    """
    from live.sources.camera_source import CameraSource

    frames = 0
    with contextlib.closing(CameraSource(0)) as source:
        info = source.open()
        with contextlib.suppress(TimeoutError):  # a camera that stops: report the number of frames before
            while frames < _MIN_FRAMES and source.read() is not None:
                frames += 1
        rate = source.measured_fps
    width, height = info.size_wh
    says = f"{info.name} delivers {width}x{height}"
    says += f" at {rate:.1f} fps (measured)" if rate else ""
    if frames < _MIN_FRAMES:
        says += f", but stopped after {frames + 1} frames"
        return False, says, "unplug it and plug it in again; on a hub, try a port of the computer itself"
    return True, says, ""


def virtual_camera() -> Finding:
    """Open the virtual camera and send one picture.

    Raises:
        SinkError: It cannot be opened; the message names the steps for this system.
    """
    import time

    from live.sinks.virtual_camera import VirtualCameraSink
    from live.sinks.virtual_camera_help import RELOAD_MODULE
    from live.sources.camera_devices import is_capture_only

    with contextlib.closing(VirtualCameraSink()) as sink:
        sink.open(size_wh=(1280, 720), fps=30.0)
        sink.send(Frame(card((1280, 720)), 0, time.monotonic()))
        # While frames are sent: without them the device shows its output side.
        device, capture_only = sink.device, is_capture_only(sink.device)
    if capture_only is False:
        do = f"Chrome, Meet and Teams do not list it: close the programs that use it, then {RELOAD_MODULE}"
        return True, f"{device} accepts frames, but was loaded without exclusive_caps", do
    return True, f"{device} accepts frames" + (", exclusive_caps is on" if capture_only else ""), ""


def idle() -> Finding:
    """Check whether the webcam can be released while no program reads the virtual camera."""
    from live.options import LiveOptions
    from live.pipeline.viewer_presence import idle_obstacle
    from live.sinks.virtual_camera_help import explain_open_failure, loopback_devices

    why, _ = idle_obstacle(LiveOptions(), live=True, system=sys.platform)
    if why:
        return False, f"{why}, so the webcam stays on", "end veneer when the picture is not needed"
    if not loopback_devices():
        why, do = explain_open_failure(None, "")
        return False, f"{why}, and readers cannot be detected otherwise, so the webcam stays on", do
    return True, "the webcam is released while no program reads the virtual camera (--no-idle keeps it on)", ""


def window() -> Finding:
    """Check that a preview window can be shown.

    Raises:
        SinkError: There is no screen; the message names the remedy.
    """
    import cv2

    from live.sinks.display import check_screen

    check_screen()
    return True, f"HighGUI through {cv2.currentUIFramework() or 'the system'}", ""


def global_keys() -> Finding:
    """Register the global hotkeys for a moment.

    Raises:
        OptionsError: They cannot be registered; the message names the reason and an alternative.
    """
    from live.control.global_hotkeys import listen

    listen(lambda command: None, {})()
    return True, "Ctrl+Alt+key works in every window", ""
