"""ASGI middleware before every request of the control page: Host, Origin, token, size, and the answer's headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from live.panel.panel_access import PanelAccess

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 16_384
WITHOUT_TOKEN = "/api/pair"  # noqa: S105 - a path
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' blob:; "
    "connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class PanelGuard:
    """Refuses what `PanelAccess` does not allow; 403 without a reason, so that a prober learns nothing.

    Args:
        style: Hash of the page's style sheet, as the Content-Security-Policy writes it.
    """

    def __init__(self, app: App, access: PanelAccess, style: str) -> None:
        self._app, self._access, self._style = app, access, style

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        headers = _single(scope["headers"])
        if scope["type"] == "websocket":
            if self._admits_socket(scope, headers):
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
        elif not self._admits(scope["path"], headers):
            await self._refuse(send, 403, b"refused\n")
        elif int(headers.get("content-length") or 0) > MAX_BODY_BYTES:
            await self._refuse(send, 413, b"the request is too long\n")
        else:
            await self._app(scope, _limited(receive), self._with_headers(send, headers.get("host", "")))

    def _admits(self, path: str, headers: dict[str, str]) -> bool:
        access = self._access
        if not access.is_host(headers.get("host")) or not access.is_origin(headers.get("origin"), required=False):
            return False
        if not (headers.get("content-length") or "0").isdecimal():
            return False
        needs_token = path.startswith("/api/") and path != WITHOUT_TOKEN
        return not needs_token or access.has_token(headers.get("authorization"))

    def _admits_socket(self, scope: Scope, headers: dict[str, str]) -> bool:
        access = self._access
        return (
            access.is_host(headers.get("host"))
            and access.is_origin(headers.get("origin"), required=True)
            and access.has_token_subprotocol(scope["subprotocols"])
        )

    async def _refuse(self, send: Send, status: int, body: bytes) -> None:
        headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _with_headers(self, send: Send, host: str) -> Send:
        scheme = "wss" if any(one.startswith("https") for one in self._access.origins) else "ws"
        values = {
            name: value.format(sockets=f"{scheme}://{host}", style=self._style) for name, value in _HEADERS.items()
        }
        added = [(name.lower().encode(), value.encode()) for name, value in values.items()]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        return send_with_headers


def _single(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers; one that is given twice gets a value that no check accepts."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        headers[key] = "twice" if key in headers else value.decode("latin-1")
    return headers


def _limited(receive: Receive) -> Receive:
    """End a body without Content-Length at the limit."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            return {"type": "http.disconnect"}
        return message

    return receive_limited
