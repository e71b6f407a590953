"""What the host can ask for, by name. Each scenario returns plain facts; the judging is the host's."""

from __future__ import annotations

from vm.guest.browser import browser_shows_it
from vm.guest.painting import painted_chart, webcam_changes_size, writer_is_killed
from vm.guest.plugging import pulled_again_and_again, pulled_while_held
from vm.guest.stamped import stamped_frames
from vm.guest.streaming import reader_comes_and_goes, two_readers, webcam_to_reader
from vm.guest.trouble import devices_are_held, doctor_on_plain_module

__all__ = [
    "browser_shows_it",
    "devices_are_held",
    "doctor_on_plain_module",
    "painted_chart",
    "pulled_again_and_again",
    "pulled_while_held",
    "reader_comes_and_goes",
    "stamped_frames",
    "two_readers",
    "webcam_changes_size",
    "webcam_to_reader",
    "writer_is_killed",
]
