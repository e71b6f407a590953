"""A fake of v4l2loopback at the system call level, with the behaviour of its source code.

`tests/vm` runs the same code against the real driver.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass, field

from live.sinks.v4l2loopback import loopback_device as wire
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice

BUTTON = 4


@dataclass
class _Opener:
    end: socket.socket
    timeout_io: bool = False
    claimed: bool = False
    subscribed: bool = False
    writer: bool = False
    events: list[int] = field(default_factory=list)


class FakeLoopback:
    """One device of the driver.

    Args:
        has_event: As 0.13 and later: there is a client-usage event, and `timeout_image_io` is a button. Otherwise as
            0.12.7: no event, and a switch whose value the kernel keeps although the driver has reset it.
        sends_initial: Whether the kernel sends the initial state as an event.
        name: The driver's name.
    """

    def __init__(self, *, has_event: bool = False, sends_initial: bool = True, name: str = wire.DRIVER) -> None:
        self.has_event, self.sends_initial, self.name = has_event, sends_initial, name
        self.stream: tuple[int, int, bytes] | None = None  # width, height, fourcc, once negotiated by a writer
        self.wrote = False  # whether it wrote a frame
        self.has_pending_timeout = False  # the next read returns the timeout picture
        self.timeout_ms = 0
        self.timeout_picture: bytes | None = None
        self.readers = 0
        self.accepts_writers = True
        self.openers: dict[int, _Opener] = {}
        self._next_opener_gets_timeout_io = False
        self._stored = {wire.TIMEOUT: 0, wire.TIMEOUT_IMAGE_IO: 0}
        self._other_ends: dict[int, socket.socket] = {}

    def opener(self, path: str) -> LoopbackDevice:
        """Return `LoopbackDevice(path)` on this driver."""
        return LoopbackDevice(path, self)

    def write_frame(self, size_wh: tuple[int, int], fourcc: bytes = b"YU12") -> None:
        """A writer negotiates a format and writes a frame with a plain write."""
        self.negotiate(size_wh, fourcc)
        self.wrote, self.accepts_writers = True, False

    def negotiate(self, size_wh: tuple[int, int], fourcc: bytes = b"YU12") -> None:
        """A writer negotiates a format: the stream has buffers."""
        self.stream = *size_wh, fourcc

    def time_out(self) -> None:
        """The writer has sent nothing for the timeout."""
        self.has_pending_timeout |= self.timeout_ms > 0

    def close_writer(self) -> None:
        """The writer closes the device; it had not started a stream, so 0.12 accepts no other writer."""
        self.stream, self.wrote, self.accepts_writers = None, False, self.accepts_writers or self.has_event
        assert not self.has_pending_timeout or self.timeout_ms, (
            "the kernel would dereference a null pointer for the next reader"
        )

    def kill(self) -> None:
        """The program dies: its descriptors are closed, and no setting is restored."""
        for descriptor in tuple(self.openers):
            self.close(descriptor)

    def set_readers(self, readers: int) -> None:
        """Set the number of streaming readers."""
        self.readers = readers
        for descriptor, opener in tuple(self.openers.items()):
            if opener.subscribed:
                self._queue(descriptor, opener)

    def _queue(self, descriptor: int, opener: _Opener) -> None:
        opener.events.append(self.readers)
        self._other_ends[descriptor].send(b"!", socket.MSG_OOB)  # sets POLLPRI

    def open(self, path: str) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        other_end = socket.create_connection(listener.getsockname())
        end, _ = listener.accept()
        listener.close()
        opener = _Opener(end, timeout_io=self._next_opener_gets_timeout_io)
        if not self.has_event:
            self._next_opener_gets_timeout_io = False
        self.openers[end.fileno()], self._other_ends[end.fileno()] = opener, other_end
        return end.fileno()

    def close(self, descriptor: int) -> None:
        opener = self.openers.pop(descriptor)
        opener.end.close()
        self.accepts_writers |= opener.writer
        self._other_ends.pop(descriptor).close()

    def read(self, descriptor: int, length: int) -> bytes:
        if not self.wrote and not self.has_pending_timeout:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.has_pending_timeout = False
        return bytes(length)

    def write_mapped(self, descriptor: int, offset: int, length: int, content: bytes) -> None:
        opener, size_bytes = self.openers[descriptor], self._buffer_bytes()
        if not (opener.timeout_io and opener.claimed) or offset != 32 * size_bytes or length != size_bytes:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.timeout_picture = content

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        opener = self.openers[descriptor]
        answers = {
            wire.QUERYCAP: self._querycap,
            wire.G_FMT: self._g_fmt,
            wire.QUERYCTRL: self._queryctrl,
            wire.G_CTRL: self._g_ctrl,
            wire.S_CTRL: self._s_ctrl,
        }
        if request in answers:
            answers[request](argument)
        elif request == wire.REQBUFS:
            self._buffer_bytes()
            opener.claimed = True
            self._next_opener_gets_timeout_io &= not opener.timeout_io
        elif request == wire.QUERYBUF:
            if not opener.claimed:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            size_bytes = self._buffer_bytes()
            argument[:] = wire.BUFFER.pack(0, wire.OUTPUT, 1, 32 * size_bytes if opener.timeout_io else 0, size_bytes)
        elif request == wire.STREAMON and not self.has_event:
            opener.writer, self.accepts_writers = True, False
            self._buffer_bytes()
        elif request == wire.SUBSCRIBE_EVENT and self.has_event:
            opener.subscribed = True
            if self.sends_initial:
                self._queue(descriptor, opener)
        elif request == wire.DQEVENT and opener.events:
            argument[:] = wire.EVENT.pack(wire.CLIENT_USAGE, opener.events.pop(0))
            if not opener.events:
                opener.end.recv(1, socket.MSG_OOB)
        else:
            number = errno.ENOENT if request == wire.DQEVENT else errno.EINVAL
            raise OSError(number, os.strerror(number))

    def _buffer_bytes(self) -> int:
        if self.stream is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return -(-self.stream[0] * self.stream[1] * 3 // 2 // 4096) * 4096

    def _querycap(self, argument: bytearray) -> None:
        able = (wire.CAP_CAPTURE if self.wrote else 0) | (wire.CAP_OUTPUT if self.accepts_writers else 0)
        argument[:] = wire.CAPABILITY.pack(self.name.encode(), b"Veneer", b"platform:v4l2loopback-000", 0, 0, able)

    def _g_fmt(self, argument: bytearray) -> None:
        size_bytes, side = self._buffer_bytes(), wire.FORMAT.unpack(argument)[0]
        assert self.stream is not None
        if (side == wire.CAPTURE and not self.wrote) or (side == wire.OUTPUT and self.has_event):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        argument[:] = wire.FORMAT.pack(side, *self.stream, 1, self.stream[0], size_bytes)

    def _queryctrl(self, argument: bytearray) -> None:
        kind = BUTTON if self.has_event else wire.BOOLEAN
        argument[:] = wire.CONTROL_INFO.pack(wire.TIMEOUT_IMAGE_IO, kind, b"timeout_image_io", 0, 1, 1, 0, 0)

    def _g_ctrl(self, argument: bytearray) -> None:
        which, _ = wire.CONTROL.unpack(argument)
        argument[:] = wire.CONTROL.pack(which, self._stored[which])

    def _s_ctrl(self, argument: bytearray) -> None:
        which, value = wire.CONTROL.unpack(argument)
        changed, self._stored[which] = self._stored[which] != value, value
        if which == wire.TIMEOUT:
            self.timeout_ms = value
        elif self.has_event:  # a button: any value presses it
            self._next_opener_gets_timeout_io = True
        elif changed:  # the kernel informs the driver only of changes
            self._next_opener_gets_timeout_io = bool(value)
