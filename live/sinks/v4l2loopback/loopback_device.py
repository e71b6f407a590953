"""Access to a v4l2loopback device beside its writer: number of readers, and the timeout picture.

Behaviour and constants follow the driver's source, versions 0.12.7 (Debian 12) to 0.15, and linux/videodev2.h, for
64-bit systems. On others the kernel refuses the calls, and callers continue without these features.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
from typing import Any

import cv2

from live.pipeline.frame import ImageU8
from live.v4l2_devices import CAPABILITY

DRIVER = "v4l2 loopback"
MAX_TIMEOUT_MS = 100_000

# Structures of linux/videodev2.h; only the fields that are used here are named.
FORMAT = struct.Struct("=I4xII4sIII176x")  # type, width, height, fourcc, field, bytes per line, bytes per frame
CONTROL = struct.Struct("=Ii")  # id, value
CONTROL_INFO = struct.Struct("=II32siiiiI8x")  # id, type, name, minimum, maximum, step, default, flags
BUFFERS = struct.Struct("=IIIII")  # count, type, memory
BUFFER = struct.Struct("=II52xII4xI12x")  # index, type, memory, offset, length
STREAM_TYPE = struct.Struct("=I")
EVENT = struct.Struct("=I4xI124x")  # type, and the payload of the client-usage event: number of readers
SUBSCRIPTION = struct.Struct("=III20x")  # type, id, flags


def _request(direction: int, number: int, layout: struct.Struct) -> int:
    return direction << 30 | layout.size << 16 | ord("V") << 8 | number


_WRITE, _READ = 1, 2
QUERYCAP = _request(_READ, 0, CAPABILITY)
G_FMT = _request(_READ | _WRITE, 4, FORMAT)
REQBUFS = _request(_READ | _WRITE, 8, BUFFERS)
QUERYBUF = _request(_READ | _WRITE, 9, BUFFER)
G_CTRL = _request(_READ | _WRITE, 27, CONTROL)
S_CTRL = _request(_READ | _WRITE, 28, CONTROL)
QUERYCTRL = _request(_READ | _WRITE, 36, CONTROL_INFO)
STREAMON = _request(_WRITE, 18, STREAM_TYPE)
DQEVENT = _request(_READ, 89, EVENT)
SUBSCRIBE_EVENT = _request(_WRITE, 90, SUBSCRIPTION)

CAPTURE, OUTPUT, MEMORY_MAPPED, BOOLEAN, SEND_INITIAL = 1, 2, 1, 2, 1
CAP_CAPTURE, CAP_OUTPUT = 0x1, 0x2
TIMEOUT = 0x0098F902  # control: milliseconds without a frame until readers get the timeout picture; 0 for never
TIMEOUT_IMAGE_IO = 0x0098F903  # control: the next opener maps the timeout picture instead of a frame
CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1  # event since 0.13: the number of streaming readers has changed


class Kernel:
    """The system calls that are used here; replaceable for tests."""

    def open(self, path: str) -> int:
        """Return a non-blocking descriptor for reading and writing."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Call the driver; the answer replaces the argument."""
        import fcntl

        fcntl.ioctl(descriptor, request, argument)

    def read(self, descriptor: int, length: int) -> bytes:
        """Return up to `length` bytes of the next frame, without waiting."""
        return os.read(descriptor, length)

    def write_mapped(self, descriptor: int, offset: int, length: int, content: bytes) -> None:
        """Map `length` bytes of the device at `offset` and write `content` to their start."""
        with mmap.mmap(descriptor, length, offset=offset) as mapped:
            mapped[: len(content)] = content


class LoopbackDevice:
    """One v4l2loopback device, opened beside its writer; it does not affect the stream itself.

    Args:
        path: Device file, such as "/dev/video10".
        kernel: The system calls; replaceable for tests.

    Raises:
        OSError: The device cannot be opened, or is not a v4l2loopback device (ENOTTY). Every method raises OSError if
            the driver refuses, because it is too old or because no writer has negotiated a format yet.
    """

    def __init__(self, path: str, kernel: Kernel | None = None) -> None:
        self.path = path
        self._kernel = kernel or Kernel()
        self.descriptor = self._kernel.open(path)
        try:
            name, *_, self._capabilities = self._ioctl(self.descriptor, QUERYCAP, CAPABILITY)
            if name.rstrip(b"\0").decode("latin-1") != DRIVER:
                raise OSError(errno.ENOTTY, "it is no v4l2loopback device", path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the device; idempotent."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            self._kernel.close(descriptor)

    def __enter__(self) -> LoopbackDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream_format(self) -> tuple[tuple[int, int], str]:
        """Return size (width, height) and pixel format that the writer has negotiated with the driver."""
        try:
            answer = self._ioctl(self.descriptor, G_FMT, FORMAT, CAPTURE, 0, 0, b"", 0, 0, 0)
        except OSError:  # up to 0.12 the capture side has no format before the first frame
            answer = self._ioctl(self.descriptor, G_FMT, FORMAT, OUTPUT, 0, 0, b"", 0, 0, 0)
        return (answer[1], answer[2]), answer[3].decode("latin-1")

    def timeout_ms(self) -> int:
        """Return the time without a frame after which readers get the timeout picture; 0 for never."""
        return int(self._ioctl(self.descriptor, G_CTRL, CONTROL, TIMEOUT, 0)[1])

    def set_timeout_ms(self, timeout_ms: int) -> None:
        """Set that time, at most `MAX_TIMEOUT_MS`; the setting outlives this program."""
        self._ioctl(self.descriptor, S_CTRL, CONTROL, TIMEOUT, timeout_ms)

    def restore_timeout_ms(self, timeout_ms: int) -> None:
        """Set the timeout back to its original value, and clear a pending timeout.

        Up to 0.13 the driver keeps a timeout that no reader has consumed, but frees the picture with the last opener:
        the next reader, of any program, would make the kernel dereference a null pointer.
        """
        self.set_timeout_ms(timeout_ms)
        with contextlib.suppress(OSError):  # none is pending, or the driver is newer and delivers it to one reader only
            self._kernel.read(self.descriptor, 1)

    def set_timeout_picture(self, picture_bgr: ImageU8) -> None:
        """Store the picture that readers get without frames: (H, W, 3) uint8 BGR of the stream's size."""
        size_wh, fourcc = self.stream_format()
        if fourcc != "YU12":
            raise OSError(errno.EOPNOTSUPP, f"the device carries {fourcc!r}, only 'YU12' is supported")
        if size_wh != picture_bgr.shape[1::-1]:
            got = f"the device carries {size_wh} pixels, the picture has {picture_bgr.shape[1::-1]}"
            raise OSError(errno.EINVAL, got)
        content = bytes(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2YUV_I420))  # BT.601, limited range, as pyvirtualcam
        if self._is_0_12_or_older():  # the switch resets itself but still reads 1, and setting 1 again has no effect
            self._ioctl(self.descriptor, S_CTRL, CONTROL, TIMEOUT_IMAGE_IO, 0)
        self._ioctl(self.descriptor, S_CTRL, CONTROL, TIMEOUT_IMAGE_IO, 1)
        second = self._kernel.open(self.path)
        try:
            # No STREAMON on this descriptor: the driver would regard it as a second writer.
            self._ioctl(second, REQBUFS, BUFFERS, 1, OUTPUT, MEMORY_MAPPED, 0, 0)
            _, _, _, offset, length = self._ioctl(second, QUERYBUF, BUFFER, 0, OUTPUT, MEMORY_MAPPED, 0, 0)
            self._kernel.write_mapped(second, offset, length, content)
        finally:
            self._kernel.close(second)

    def restore_writer_access_on_close(self) -> None:
        """Make the device accept a writer again when this descriptor is closed, even by the death of the program.

        Up to 0.12, with exclusive_caps, a device that received frames through plain writes, as from pyvirtualcam,
        refuses every later writer until an opener that started a stream is closed. This one starts a stream and sends
        nothing. Later drivers do not need it and are left unchanged.
        """
        if self._is_0_12_or_older():
            with contextlib.suppress(OSError):  # there are no buffers yet; it counts as a writer all the same
                self._ioctl(self.descriptor, STREAMON, STREAM_TYPE, OUTPUT)

    @property
    def refuses_writers(self) -> bool:
        """Whether the device has no writer and accepts none."""
        return not self._capabilities & (CAP_CAPTURE | CAP_OUTPUT)

    def _is_0_12_or_older(self) -> bool:
        """Return whether the control for timeout pictures is a switch; later versions have a button."""
        answer = self._ioctl(self.descriptor, QUERYCTRL, CONTROL_INFO, TIMEOUT_IMAGE_IO, 0, b"", 0, 0, 0, 0, 0)
        return bool(answer[1] == BOOLEAN)

    def subscribe_usage(self) -> None:
        """Subscribe to the number of readers; `descriptor` signals POLLPRI when `next_usage` has an event."""
        self._ioctl(self.descriptor, SUBSCRIBE_EVENT, SUBSCRIPTION, CLIENT_USAGE, 0, SEND_INITIAL)

    def next_usage(self) -> int | None:
        """Return the reader count of the oldest queued event, without waiting; None if there is none."""
        with contextlib.suppress(OSError):  # ENOENT: no event
            kind, readers = self._ioctl(self.descriptor, DQEVENT, EVENT, 0, 0)
            return int(readers) if kind == CLIENT_USAGE else None
        return None

    def _ioctl(self, descriptor: int, request: int, layout: struct.Struct, *fields: object) -> tuple[Any, ...]:
        argument = bytearray(layout.pack(*fields) if fields else layout.size)
        self._kernel.ioctl(descriptor, request, argument)
        return layout.unpack(argument)
