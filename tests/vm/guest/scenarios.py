"""The scenarios that the host can run by name. Each returns facts, which the host checks."""

from __future__ import annotations

from vm.guest.browser import browser_shows_camera
from vm.guest.painting import painted_chart, webcam_changes_size, writer_is_killed
from vm.guest.panel import panel_beside_camera
from vm.guest.plugging import unplugged_repeatedly, unplugged_while_open
from vm.guest.stamped import stamped_frames
from vm.guest.streaming import reader_comes_and_goes, two_readers, webcam_to_reader
from vm.guest.trouble import devices_in_use, doctor_on_plain_module

__all__ = [
    "browser_shows_camera",
    "devices_in_use",
    "doctor_on_plain_module",
    "painted_chart",
    "panel_beside_camera",
    "reader_comes_and_goes",
    "stamped_frames",
    "two_readers",
    "unplugged_repeatedly",
    "unplugged_while_open",
    "webcam_changes_size",
    "webcam_to_reader",
    "writer_is_killed",
]
