"""The socket and the configuration of the servers of the control page."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvicorn

from engines.errors import OptionsError
from live.panel.panel_app import MAX_MESSAGE_BYTES, PanelApp

_MAX_CONNECTIONS = 64


def page_server(app: PanelApp, certificate: Path | None = None) -> uvicorn.Server:
    """Return a server with small limits and without logs, which could hold a token.

    Args:
        certificate: PEM file of the key and the certificate for TLS; None for HTTP.
    """
    config = uvicorn.Config(
        app.asgi,
        loop="asyncio",
        http="h11",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        backlog=_MAX_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
        ssl_certfile=certificate,
    )
    return uvicorn.Server(config)


def listen(address: str, port: int) -> socket.socket:
    """Return a socket of an address of this machine: at the port, or at any free one if another program has it.

    Raises:
        OptionsError: The machine does not have the address, or no port is free.
    """
    for candidate in dict.fromkeys((port, 0)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":  # on Windows it would share the port with another program
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, candidate))
        except OSError as error:
            listener.close()
            problem = error
            continue
        listener.listen(_MAX_CONNECTIONS)  # clients that come before the server is ready wait
        listener.setblocking(False)
        return listener
    do = "name an address of this machine, and close programs that use many ports"
    raise OptionsError(f"control page at {address}:{port}", problem.strerror or str(problem), do)
