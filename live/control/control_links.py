"""Starts what controls a run while it lasts: control page, socket, global hotkeys, OBS and sound delay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from engines.errors import VeneerError
from live.control.control_socket import ControlServer
from live.control.obs_settings import load_obs_settings

if TYPE_CHECKING:
    from live.session import Session


@contextlib.contextmanager
def control_links(session: Session, *, status: Callable[[], dict[str, Any]], ctl: bool) -> Iterator[None]:
    """Run what the options of a session ask for, and close it at the end.

    A control socket that does not start is reported and does not end the run.

    Args:
        status: Returns what `veneer ctl status` prints.
        ctl: Whether `veneer ctl` can control the run.
    """
    options, controls = session.options, session.controls
    server = ControlServer(controls, status=status)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: session.panel.close() if session.panel is not None else None)
        controls.handle("panel", session.open_panel)
        stack.callback(session.devices.close)
        if options.panel or options.panel_host:
            session.open_panel()
            assert session.panel is not None
            session.panel.announce(browser=options.browser)
        try:
            if ctl:
                server.start()
                stack.callback(server.close)
        except (VeneerError, OSError) as error:
            session.say(f"`veneer ctl` will not work in this run: {error}")
        if options.global_hotkeys:
            from live.control import global_hotkeys

            stack.callback(global_hotkeys.listen(controls.apply, controls.keys))
        if options.obs:
            from live.control.obs_link import ObsLink

            link = ObsLink(load_obs_settings(controls.look_names), controls, session.say)
            link.start()
            stack.callback(link.close)
        if options.mic_delay:
            session.devices.microphone("on")
        yield
