"""The routes of the control page: static files, commands over HTTP, and the two WebSockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engines.errors import VeneerError
from live.control.controls import VERBS, Controls, parse_command
from live.panel.panel_access import SUBPROTOCOL, PanelAccess
from live.panel.panel_guard import PanelGuard
from live.panel.preview_hub import PreviewHub
from live.panel.state_hub import StateHub

PAGE = Path(__file__).with_name("page")
MAX_MESSAGE_BYTES = 4096
_MAX_MALFORMED = 8  # messages of one connection before it is closed
_SEND_TIMEOUT_S = 5.0  # a client that does not read is disconnected
_STYLE_LINK = b'<link rel="stylesheet" href="/page/style.css">'
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
Words = list[str]


class PanelApp:
    """The application.

    Args:
        controls: Every command of the page is applied to them.
        states: Sends the state.
        previews: Sends the pictures.
        more: Further routes.
    """

    def __init__(
        self,
        access: PanelAccess,
        controls: Controls,
        states: StateHub,
        previews: PreviewHub,
        more: Mapping[str, Callable[[Request], Any]],
    ) -> None:
        self._access, self._controls, self._states, self._previews = access, controls, states, previews
        self._files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in _TYPES}
        style = self._files.pop("style.css")  # within the page: its first paint waits for no second answer
        self._files["index.html"] = self._files["index.html"].replace(_STYLE_LINK, b"<style>" + style + b"</style>")
        routes: list[Any] = [
            Route("/", self._page),
            Route("/page/{name}", self._page),
            Route("/api/pair", self._pair, methods=["POST"]),
            Route("/api/command", self._command, methods=["POST"]),
            WebSocketRoute("/ws/state", self._state_socket),
            WebSocketRoute("/ws/preview", self._preview_socket),
        ]
        for path, answer in more.items():
            method, _, name = path.partition(" ")
            routes.append(Route(name, answer, methods=[method]))
        style_hash = base64.b64encode(hashlib.sha256(style).digest()).decode()
        self.asgi = PanelGuard(Starlette(routes=routes), access, f"'sha256-{style_hash}'")

    async def _page(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if (content := self._files.get(name)) is None:
            return Response("there is no such file\n", 404)
        return Response(content, media_type=_TYPES[Path(name).suffix])

    async def _pair(self, request: Request) -> Response:
        try:
            code = json.loads(await request.body())["code"]
            token = self._access.redeem(code) if isinstance(code, str) else None
        except (ValueError, KeyError, TypeError, RecursionError, ClientDisconnect):
            token = None
        if token is None:
            return JSONResponse({"ok": False, "error": "this code was used, is too old or wrong"}, 403)
        return JSONResponse({"ok": True, "token": token})

    async def _command(self, request: Request) -> Response:
        try:
            words = words_of(json.loads(await request.body()))
        except (ValueError, RecursionError, ClientDisconnect):
            example = 'send one command as JSON: {"words": ["look", "toon"]}'
            return JSONResponse({"ok": False, "error": example}, 400)
        answer = await self.execute(words)
        return JSONResponse(answer, 200 if answer["ok"] else 400)

    async def execute(self, words: Words) -> dict[str, Any]:
        """Apply a command; those that take longer run in another thread."""
        try:
            command = parse_command(words)
            if command.verb in VERBS:
                says = self._controls.apply(command)
            else:
                says = await asyncio.to_thread(self._controls.apply, command)
        except VeneerError as error:
            return {"ok": False, "error": str(error)}
        self._states.changed()
        return {"ok": True, "says": says}

    async def _state_socket(self, socket: WebSocket) -> None:
        if not self._states.has_room():
            await socket.close(1013)
            return
        await socket.accept(SUBPROTOCOL)
        lock = asyncio.Lock()  # answers and states are sent by two tasks

        async def send(text: str) -> None:
            async with lock:
                await asyncio.wait_for(socket.send_text(text), _SEND_TIMEOUT_S)

        async def receive() -> None:
            malformed = 0
            while malformed < _MAX_MALFORMED:
                message = await _next_text(socket)
                try:
                    request = json.loads(message)
                    words = words_of(request)
                except (ValueError, RecursionError):
                    malformed += 1
                    await send('{"v": 1, "kind": "answer", "id": null, "ok": false, "error": "not a command"}')
                    continue
                answer = await self.execute(words)
                number = request.get("id") if isinstance(request.get("id"), int) else None
                await send(json.dumps({"v": 1, "kind": "answer", "id": number, **answer}))

        await _until_first(socket, receive(), self._states.follow(send))

    async def _preview_socket(self, socket: WebSocket) -> None:
        if not self._previews.has_room():
            await socket.close(1013)
            return
        await socket.accept(SUBPROTOCOL)

        async def serve() -> None:
            with self._previews.joined() as viewer:
                while True:
                    message = await _next_text(socket)
                    if message not in ("next", "next split"):
                        return
                    data = await self._previews.next(viewer, split=message == "next split")
                    await asyncio.wait_for(socket.send_bytes(data), _SEND_TIMEOUT_S)

        await _until_first(socket, serve())


def words_of(request: object) -> Words:
    """Return the words of a request {"words": [...]}. Raises ValueError."""
    words = request.get("words") if isinstance(request, dict) else None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError("words")
    return words


async def _next_text(socket: WebSocket) -> str:
    """Return the next message; "" for a binary one. Raises WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] != "websocket.receive":
        raise WebSocketDisconnect(message.get("code", 1000))
    return message.get("text") or ""


async def _until_first(socket: WebSocket, *works: Any) -> None:
    """Run several tasks of a connection until the first ends, then close it."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(WebSocketDisconnect, TimeoutError, asyncio.TimeoutError, RuntimeError):
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):  # the client is gone
            await asyncio.wait_for(socket.close(1008), 1.0)
