"""The pictures, the doctor and the report of the control page. Everything is named from lists; nothing is a path."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import cv2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from live.panel.look_tiles import LookTiles
from live.pipeline.report import run_report

if TYPE_CHECKING:
    from live.session import Session

_THUMBNAIL_PX = 320
# These would open the camera and the virtual camera that the run uses, or take hold of its keys.
_IN_USE = ("camera", "virtual camera", "global keys")


class PanelRoutes:
    """The requests beside commands and state."""

    def __init__(self, session: Session, tiles: LookTiles) -> None:
        self._session, self._tiles = session, tiles
        self._examining = asyncio.Lock()

    def all(self) -> dict[str, Any]:
        """Return the routes by method and path."""
        return {
            "GET /api/tiles/{name}": self._tile,
            "GET /api/snapshots/{name}": self._snapshot,
            "GET /api/doctor": self._doctor,
            "GET /api/report": self._report,
            "GET /api/cameras": self._cameras,
        }

    async def _tile(self, request: Request) -> Response:
        jpeg = self._tiles.jpeg(request.path_params["name"])
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response("there is no such tile\n", 404)

    async def _snapshot(self, request: Request) -> Response:
        path = self._session.recorder.snapshot_path(request.path_params["name"])
        jpeg = await asyncio.to_thread(_thumbnail, str(path)) if path is not None else None
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response("there is no such snapshot\n", 404)

    async def _doctor(self, request: Request) -> Response:
        """Send one line of JSON per check, as soon as it is done."""
        if self._examining.locked():
            return JSONResponse({"ok": False, "error": "the checks are running already"}, 409)
        return StreamingResponse(self._checks(), media_type="application/x-ndjson")

    async def _checks(self) -> AsyncIterator[str]:
        async with self._examining:
            checks = _examined()
            while (check := await asyncio.to_thread(next, checks, None)) is not None:
                yield json.dumps(check) + "\n"

    async def _cameras(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._session.devices.cameras))

    async def _report(self, request: Request) -> Response:
        session = self._session
        report = await asyncio.to_thread(run_report, session.pipeline)
        options = {
            name: str(getattr(session.options, name)) for name in ("source", "sinks", "size_wh", "fps", "runtime")
        }
        notices = [f"{time.strftime('%H:%M:%S', time.localtime(at_s))} {line}" for at_s, line in tuple(session.notices)]
        return JSONResponse(report | {"options": options, "messages": notices})


def _examined() -> Iterator[dict[str, Any]]:
    """Yield the checks of `veneer doctor` that do not disturb the run."""
    from live.diagnostics.doctor import check_names, examine

    for name in check_names():
        if name not in _IN_USE:
            for check in examine({name}):
                yield asdict(check)


def _thumbnail(path: str) -> bytes | None:
    picture = cv2.imread(path, cv2.IMREAD_REDUCED_COLOR_2)
    if picture is None:
        return None
    height, width = picture.shape[:2]
    scale = min(1.0, _THUMBNAIL_PX / width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.imencode(".jpg", cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA))[1].tobytes()
