"""The control page of a running session: its server thread, its link, and the parts behind it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from engines.errors import OptionsError
from live.panel.browser import has_desktop, open_in_browser
from live.panel.look_tiles import LookTiles
from live.panel.page_server import listen, page_server
from live.panel.panel_access import PanelAccess, load_token
from live.panel.panel_app import PanelApp
from live.panel.panel_routes import PanelRoutes
from live.panel.panel_state import PanelState
from live.panel.preview_feed import PreviewFeed
from live.panel.preview_hub import PreviewHub
from live.panel.state_hub import StateHub
from live.pipeline.frame import Frame
from live.tracking.quiet_stderr import say_line

if TYPE_CHECKING:
    from live.panel.phone_page import PhonePage
    from live.session import Session

_START_TIMEOUT_S, _STOP_TIMEOUT_S = 10.0, 1.5
LOOPBACK = "127.0.0.1"


class ControlPage:
    """Serves the page from its creation until `close`.

    Args:
        session: The run to control.

    Attributes:
        feed: Receives the frames of the run.
        tiles: The pictures of the looks.
        token: What scripts and docks send.
        port: Port of the server.

    Raises:
        VeneerError: The token cannot be stored, no port is free, or the page for a phone cannot be served.
    """

    def __init__(self, session: Session) -> None:
        self.token = load_token()
        self._socket = listen(LOOPBACK, session.options.panel_port)
        self.port: int = self._socket.getsockname()[1]
        self._access = PanelAccess(self.token, [f"{name}:{self.port}" for name in (LOOPBACK, "localhost")])
        looks_file = session.options.looks_file
        self.tiles = LookTiles(
            str(looks_file) if looks_file else None, lambda: session.controls.look_names, session.editor.edited
        )
        session.controls.handle("face", self.tiles.take_face)
        state = PanelState(session, self.tiles)
        self._previews = PreviewHub(session.report_page)
        self.feed = PreviewFeed(session.pipeline.policy, session.controls, self._previews.publish)
        session.pipeline.before_painting = self._keep_capture
        kinds = {"state": state.state, "looks": state.looks, "stats": state.stats}
        states = StateHub(kinds, first_page=self.tiles.start)
        routes = PanelRoutes(session, self.tiles).all()

        def new_app(access: PanelAccess) -> PanelApp:
            return PanelApp(access, session.controls, states, self._previews, routes)

        self._servers = {self._socket: page_server(new_app(self._access))}
        try:
            self._phone = _phone_page(session.options.panel_host, self.port, new_app)
        except BaseException:
            self._socket.close()
            raise
        if self._phone is not None:
            self._servers[self._phone.socket] = self._phone.server
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="control page", daemon=True)
        self.feed.start()
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT_S):
            raise OptionsError("the control page", "its server did not start", "try again, or run without --panel")

    def _keep_capture(self, frame: Frame) -> None:
        self.feed.keep_capture(frame)
        self.tiles.offer(frame)

    def link(self, *, permanent: bool = False) -> str:
        """Return a link that opens the page once within two minutes, or always: then it holds the token."""
        secret = f"token={self.token}" if permanent else f"code={self._access.new_code()}"
        return f"http://{LOOPBACK}:{self.port}/#{secret}"

    def answer(self, argument: str) -> str:
        """Return what `veneer panel` prints: a link that works once, the permanent one ("link"), or that of a "phone".

        Raises:
            OptionsError: This run serves no page for a phone.
        """
        if argument != "phone":
            return self.link(permanent=argument == "link")
        if self._phone is None:
            do = "start it with: veneer run --panel-host auto"
            raise OptionsError("page for a phone", "this run serves the page to this machine only", do)
        return self._phone.invitation()

    def announce(self, *, browser: bool) -> None:
        """Print a link, and open another one in the browser if this session has a screen."""
        say_line(f"veneer: control page: {self.link()} (works once; `veneer panel` gives another)")
        if self._phone is not None:
            say_line(f"veneer: control page {self._phone.invitation()}")
        if browser and has_desktop():
            open_in_browser(self.link())

    def close(self) -> None:
        """Stop the server and its threads within 2 s; idempotent."""
        self.feed.close()
        self.tiles.close()
        for server in self._servers.values():
            server.should_exit = server.force_exit = True
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP_TIMEOUT_S)
        for one in self._servers:
            one.close()

    def _serve(self) -> None:
        async def serve() -> None:
            self._previews.connect(self.feed, asyncio.get_running_loop())
            self._started.set()
            await asyncio.gather(*(server.serve(sockets=[one]) for one, server in self._servers.items()))

        with contextlib.suppress(Exception):  # the run continues without the page
            asyncio.run(serve())


def _phone_page(host: str | None, port: int, new_app: Callable[[PanelAccess], PanelApp]) -> PhonePage | None:
    if host is None:
        return None
    from live.panel.phone_page import PhonePage

    return PhonePage(host, port, new_app)
