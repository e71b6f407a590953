"""The guest's cameras: vivid as the webcam, v4l2loopback as the virtual camera and as a webcam fed by ffmpeg."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from vm.guest.shell import EXCHANGE, LONG_S, await_true, run

WEBCAM, VIRTUAL, FED = "/dev/video0", "/dev/video10", "/dev/video2"
LABEL, FED_LABEL = "Veneer", "Phone"
_DRIVER = Path("/sys/bus/platform/drivers/vivid")


def load_webcam() -> float:
    """Load vivid with one webcam; return the monotonic time in seconds when its device file existed."""
    options = ("n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0", "vid_cap_nr=0")
    with subprocess.Popen(["modprobe", "vivid", *options]) as loading:
        exists_s = await_true(Path(WEBCAM).exists, LONG_S, f"{WEBCAM} exists", every_s=0.01)
        if loading.wait():
            raise RuntimeError("vivid does not load")
    return exists_s


def unload_webcam() -> None:
    """Remove vivid; its device must not be open."""
    run("modprobe", "-r", "vivid")


def unplug_webcam() -> None:
    """Unbind the device while it may be open, as unplugging does."""
    (_DRIVER / "unbind").write_text(bus_name())


def plug_in_webcam(name: str) -> None:
    """Bind the device again; if the earlier one is still open, it gets another number."""
    (_DRIVER / "bind").write_text(name)


def bus_name() -> str:
    """Return the kernel's bus name of the webcam."""
    return next(entry.name for entry in _DRIVER.iterdir() if entry.name.startswith("vivid"))


def load_cameras(*, exclusive: bool = True, fed: bool = True) -> None:
    """Reload v4l2loopback: the virtual camera, with exclusive_caps if `exclusive`, and the fed webcam, without it."""
    stop_feeding()
    if Path("/sys/module/v4l2loopback").exists():
        await_true(_unload_cameras, LONG_S, "v4l2loopback is unloaded", every_s=0.5)
    numbers, labels, caps = ["10"], [LABEL], ["1" if exclusive else "0"]
    if fed:
        numbers, labels, caps = [*numbers, "2"], [*labels, FED_LABEL], [*caps, "0"]
    lists = {"video_nr": numbers, "card_label": labels, "exclusive_caps": caps}
    options = [f"{name}={','.join(values)}" for name, values in lists.items()]
    run("modprobe", "v4l2loopback", f"devices={len(numbers)}", *options)
    nodes = [Path(node) for node in (VIRTUAL, FED)[: len(numbers)]]
    await_true(lambda: all(node.exists() for node in nodes), LONG_S, "the virtual cameras exist")


def _unload_cameras() -> bool:
    return subprocess.run(["modprobe", "-r", "v4l2loopback"], capture_output=True).returncode == 0


def make_ready() -> None:
    """Create the webcam, the virtual camera with exclusive_caps and the fed webcam, unless they exist."""
    if not Path("/sys/module/vivid").exists():
        load_webcam()
    parameter = Path("/sys/module/v4l2loopback/parameters/exclusive_caps")
    if not parameter.exists() or not parameter.read_text().startswith("Y") or not Path(FED).exists():
        load_cameras()


class Feed:
    """A program (ffmpeg) that writes a picture repeatedly to a loopback device.

    Args:
        picture: File in the shared folder, raw YUYV, with its size in its name ("chart-640x360.yuyv").
        device: Device to write to.
        fps: Frame rate.
    """

    def __init__(self, picture: str, device: str = FED, *, fps: int = 10) -> None:
        size = Path(picture).stem.rpartition("-")[2]
        command = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-f", "rawvideo"]
        command += ["-pix_fmt", "yuyv422", "-video_size", size, "-framerate", str(fps)]
        command += ["-i", str(EXCHANGE / picture), "-c", "copy", "-f", "v4l2", device]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._device = device

    def await_running(self) -> None:
        """Wait until it sends frames."""
        await_true(lambda: self._sends() or self.process.poll() is not None, LONG_S, "ffmpeg feeds the device")
        if self.process.poll() is not None:
            assert self.process.stderr is not None
            raise RuntimeError(f"ffmpeg does not feed {self._device}: {self.process.stderr.read()[-800:]}")
        time.sleep(0.5)

    def _sends(self) -> bool:
        format_file = Path("/sys/devices/virtual/video4linux", Path(self._device).name, "format")
        return bool(format_file.read_text().strip())

    def close(self) -> None:
        """Stop the program."""
        self.process.terminate()
        self.process.communicate()


_feed: Feed | None = None


def feed_with(picture: str, *, restart: bool = True) -> None:
    """Feed a picture of the shared folder to the fed webcam; without `restart`, keep a picture that is already fed."""
    global _feed
    if _feed is not None and not restart:
        return
    stop_feeding()
    _feed = Feed(picture)
    _feed.await_running()


def stop_feeding() -> None:
    """Stop feeding, for example to unload the module."""
    global _feed
    feed, _feed = _feed, None
    if feed is not None:
        feed.close()
