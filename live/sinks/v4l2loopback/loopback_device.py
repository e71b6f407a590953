"""v4l2loopback beside the one who writes to it: whether somebody reads, and the picture that stands in for the writer.

The facts are those of the driver's source, versions 0.12.7 (Debian 12) to 0.15, and of linux/videodev2.h. They hold
for 64-bit systems; elsewhere the kernel refuses the calls, and what builds on them does without.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
from dataclasses import dataclass
from typing import Any, Protocol

import cv2

from live.pipeline.frame import ImageU8

DRIVER = "v4l2 loopback"
LONGEST_TIMEOUT_MS = 100_000

# linux/videodev2.h: the structures, as far as anything of them is read or written here.
CAPABILITY = struct.Struct("=16s32s32sIII12x")
FORMAT = struct.Struct("=I4xII4sIII176x")  # type, width, height, fourcc, field, bytes per line, bytes per picture
CONTROL = struct.Struct("=Ii")  # which, value
CONTROL_INFO = struct.Struct("=II32siiiiI8x")  # which, type, name, least, most, step, default, flags
BUFFERS = struct.Struct("=IIIII")  # count, type, memory
BUFFER = struct.Struct("=II52xII4xI12x")  # index, type, memory, offset, length
SWITCH = struct.Struct("=I")  # which of the two directions
EVENT = struct.Struct("=I4xI124x")  # type, and what the client-usage event carries: how many read
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
STREAMON = _request(_WRITE, 18, SWITCH)
DQEVENT = _request(_READ, 89, EVENT)
SUBSCRIBE_EVENT = _request(_WRITE, 90, SUBSCRIPTION)

CAPTURE, OUTPUT, MEMORY_MAPPED, BOOLEAN, SEND_INITIAL = 1, 2, 1, 2, 1
GIVES_PICTURES, TAKES_PICTURES = 0x1, 0x2  # capabilities
TIMEOUT = 0x0098F902  # milliseconds without a frame until readers get the timeout picture; 0 never
TIMEOUT_IMAGE_IO = 0x0098F903  # whoever opens the device next maps the timeout picture instead of a frame
CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1  # since 0.13: the number of readers that stream has changed


class Kernel(Protocol):
    """The system calls that are made here; another one stands in for the driver where there is none."""

    def open(self, path: str) -> int:
        """A descriptor for reading and writing, that never blocks."""
        ...

    def close(self, descriptor: int) -> None:
        """Let go of it."""
        ...

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Ask or tell the driver; the answer comes back in the argument."""
        ...

    def read(self, descriptor: int, length: int) -> bytes:
        """So many bytes of the next frame; never waits."""
        ...

    def write_mapped(self, descriptor: int, offset: int, length: int, content: bytes) -> None:
        """Map `length` bytes at `offset` of the device and write `content` at their beginning."""
        ...


class LinuxKernel:
    """The real ones."""

    def open(self, path: str) -> int:
        """A descriptor for reading and writing, that never blocks."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """Let go of it."""
        os.close(descriptor)

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Ask or tell the driver; the answer comes back in the argument."""
        import fcntl

        fcntl.ioctl(descriptor, request, argument)

    def read(self, descriptor: int, length: int) -> bytes:
        """So many bytes of the next frame; never waits."""
        return os.read(descriptor, length)

    def write_mapped(self, descriptor: int, offset: int, length: int, content: bytes) -> None:
        """Map `length` bytes at `offset` of the device and write `content` at their beginning."""
        with mmap.mmap(descriptor, length, offset=offset) as mapped:
            mapped[: len(content)] = content


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What goes through the device: size in pixels, the four letters of the pixel format, bytes per picture."""

    size_wh: tuple[int, int]
    fourcc: str
    size_bytes: int


class LoopbackDevice:
    """One v4l2loopback device, opened beside its writer; says and changes nothing of the stream itself.

    Args:
        path: "/dev/video10".
        kernel: stands in for the system's calls.

    Raises:
        OSError: it does not open, or is no v4l2loopback device (ENOTTY). So does every method where the driver
            refuses, because it is too old or because no writer has agreed on a format with it yet.
    """

    def __init__(self, path: str, kernel: Kernel | None = None) -> None:
        self.path = path
        self._kernel = kernel or LinuxKernel()
        self.descriptor = self._kernel.open(path)
        try:
            name, *_, self._abilities = self._ask(self.descriptor, QUERYCAP, CAPABILITY)
            if name.rstrip(b"\0").decode("latin-1") != DRIVER:
                raise OSError(errno.ENOTTY, "it is no v4l2loopback device", path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go; idempotent."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            self._kernel.close(descriptor)

    def __enter__(self) -> LoopbackDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream_format(self) -> StreamFormat:
        """What the writer has agreed with the driver."""
        try:
            given = self._ask(self.descriptor, G_FMT, FORMAT, CAPTURE, 0, 0, b"", 0, 0, 0)
        except OSError:  # up to 0.12 readers are told only once a frame was written
            given = self._ask(self.descriptor, G_FMT, FORMAT, OUTPUT, 0, 0, b"", 0, 0, 0)
        return StreamFormat((given[1], given[2]), given[3].decode("latin-1"), given[6])

    def timeout_ms(self) -> int:
        """After how many milliseconds without a frame readers get the timeout picture; 0 for never."""
        return int(self._ask(self.descriptor, G_CTRL, CONTROL, TIMEOUT, 0)[1])

    def set_timeout_ms(self, timeout_ms: int) -> None:
        """Change that, to `LONGEST_TIMEOUT_MS` at most; the setting outlives this program."""
        self._ask(self.descriptor, S_CTRL, CONTROL, TIMEOUT, timeout_ms)

    def end_timeout(self, timeout_ms: int) -> None:
        """Put the setting back, and see to it that no timeout is owed to a reader.

        Up to 0.13 the driver remembers one that nobody has seen, and lets go of the picture with the last opener: the
        first reader after that, of whatever program, would fall into a null pointer of the kernel.
        """
        self.set_timeout_ms(timeout_ms)
        with contextlib.suppress(OSError):  # there was none, or a later driver gives it to one reader only
            self._kernel.read(self.descriptor, 1)

    def set_timeout_picture(self, picture_bgr: ImageU8) -> None:
        """Put a picture of the stream's size where the driver finds it when the writer has fallen silent."""
        stream = self.stream_format()
        content = encoded(picture_bgr, stream)
        self._ask_for_timeout_io()
        beside = self._kernel.open(self.path)
        try:
            # No STREAMON on this one: the driver would take it for a second writer.
            self._ask(beside, REQBUFS, BUFFERS, 1, OUTPUT, MEMORY_MAPPED, 0, 0)
            _, _, _, offset, length = self._ask(beside, QUERYBUF, BUFFER, 0, OUTPUT, MEMORY_MAPPED, 0, 0)
            self._kernel.write_mapped(beside, offset, length, content)
        finally:
            self._kernel.close(beside)

    def stand_as_writer(self) -> None:
        """Have the device take a writer again once this opener is closed, also by the death of the program.

        Up to 0.12, with exclusive_caps, a device that frames were written to with plain writes, as pyvirtualcam does,
        stays closed to every later writer: only the end of an opener that started a stream opens it again. (So this
        one starts one, and sends nothing.) Later drivers need no such help, and get none.
        """
        if self._is_old():
            with contextlib.suppress(OSError):  # no buffers yet; it counts as a writer all the same
                self._ask(self.descriptor, STREAMON, SWITCH, OUTPUT)

    @property
    def left_shut(self) -> bool:
        """Whether nobody writes to it and yet it takes no writer."""
        return not self._abilities & (GIVES_PICTURES | TAKES_PICTURES)

    def _is_old(self) -> bool:
        """Whether it is 0.12 or older, where the switch below was not yet a button."""
        asked = self._ask(self.descriptor, QUERYCTRL, CONTROL_INFO, TIMEOUT_IMAGE_IO, 0, b"", 0, 0, 0, 0, 0)
        return bool(asked[1] == BOOLEAN)

    def _ask_for_timeout_io(self) -> None:
        if self._is_old():  # it falls back by itself but still says 1, and 1 again does nothing
            self._ask(self.descriptor, S_CTRL, CONTROL, TIMEOUT_IMAGE_IO, 0)
        self._ask(self.descriptor, S_CTRL, CONTROL, TIMEOUT_IMAGE_IO, 1)

    def subscribe_usage(self) -> None:
        """From now on `next_usage` tells of readers that come and go; `descriptor` has POLLPRI when there is news."""
        self._ask(self.descriptor, SUBSCRIBE_EVENT, SUBSCRIPTION, CLIENT_USAGE, 0, SEND_INITIAL)

    def next_usage(self) -> int | None:
        """How many read now, by the oldest news that was not heard yet; None where there is none. Never waits."""
        with contextlib.suppress(OSError):  # ENOENT: nothing new
            kind, readers = self._ask(self.descriptor, DQEVENT, EVENT, 0, 0)
            return int(readers) if kind == CLIENT_USAGE else None
        return None

    def _ask(self, descriptor: int, request: int, layout: struct.Struct, *given: object) -> tuple[Any, ...]:
        argument = bytearray(layout.pack(*given) if given else layout.size)
        self._kernel.ioctl(descriptor, request, argument)
        return layout.unpack(argument)


def encoded(picture_bgr: ImageU8, stream: StreamFormat) -> bytes:
    """A picture in the bytes of the stream: planar 4:2:0, BT.601, limited range, which is what pyvirtualcam writes.

    Raises:
        OSError: the stream has another pixel format (EOPNOTSUPP) or size (EINVAL).
    """
    if stream.fourcc != "YU12":
        raise OSError(errno.EOPNOTSUPP, f"the device carries {stream.fourcc!r}, only 'YU12' is known here")
    size_wh = picture_bgr.shape[1], picture_bgr.shape[0]
    if size_wh != stream.size_wh:
        raise OSError(errno.EINVAL, f"the device carries {stream.size_wh} pixels, the picture has {size_wh}")
    return bytes(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2YUV_I420))
