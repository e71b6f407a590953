"""The connection to OBS: its scene selects the look, and the look its scene.

It uses the WebSocket server of OBS (protocol 5, from OBS 28) in a thread of its own, and connects again when OBS was
restarted. The extra `[obs]` provides the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import simpleobsws
from websockets.exceptions import WebSocketException

from engines.errors import OptionsError, VeneerError
from engines.text import one_line
from live.control.controls import Command, Controls
from live.control.obs_settings import ObsSettings
from live.settings import settings_file

_RETRY_S, _IDENTIFY_S, _STOP_TIMEOUT_S = 2.0, 10.0, 1.5
_SCENE_EVENTS = 1 << 2
_WRONG_PASSWORD = 4009
_AWAY = (OSError, WebSocketException, asyncio.TimeoutError, TimeoutError, simpleobsws.MessageTimeout)
_TRIED_AGAIN = "it is tried again until it answers"
_OPEN_SERVER = "in OBS: Tools > WebSocket Server Settings > Enable"


class ObsLink:
    """Keeps scene and look together from `start` until `close`.

    A scene or a look that is not in the settings changes nothing. At the first connection the scene selects the look;
    at a later one only if the scene is another one than before.

    Args:
        settings: How OBS is reached, and the looks of its scenes.
        controls: Those of the run.
        say: Prints one line for the user.
    """

    def __init__(self, settings: ObsSettings, controls: Controls, say: Callable[[str], None]) -> None:
        self._settings, self._controls, self._say = settings, controls, say
        self._scene = ""  # that of OBS, or the one that it was told to show
        self._told: deque[str] = deque()  # scenes whose event is still to come
        self._state = ""  # "here" or "away"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="obs", daemon=True)

    def start(self) -> None:
        """Start the thread; OBS need not run yet."""
        self._avoid_proxy()
        self._controls.follow(self._wake)
        self._thread.start()

    def close(self) -> None:
        """End the thread within 2 s; idempotent."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)
        self._thread.join(_STOP_TIMEOUT_S)

    def _avoid_proxy(self) -> None:
        """Exclude OBS from the proxy of the environment, which the client would use for it."""
        host = self._settings.address.rpartition(":")[0].strip("[]")
        excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        os.environ["no_proxy"] = ",".join(filter(None, (excluded, host)))

    def _wake(self) -> None:
        """Called in any thread after a command."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._changed.set)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._follow())

    async def _follow(self) -> None:
        self._changed = asyncio.Event()
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        while True:
            try:
                await self._connected()
            except OptionsError as error:
                self._say(str(error))
                return
            except _AWAY as error:
                do = f"start it, and {_OPEN_SERVER}; {_TRIED_AGAIN}"
                self._say_once("away", f"OBS at {self._settings.address}: {one_line(error)} - {do}")
            await asyncio.sleep(_RETRY_S)

    async def _connected(self) -> None:
        """Connect, and keep scene and look together until the connection ends."""
        subscribed = simpleobsws.IdentificationParameters(eventSubscriptions=_SCENE_EVENTS)
        client = simpleobsws.WebSocketClient(f"ws://{self._settings.address}", self._settings.password, subscribed)
        client.register_event_callback(self._scene_changed, "CurrentProgramSceneChanged")
        await client.connect()
        work, reading = asyncio.ensure_future(self._work(client)), client.recv_task
        try:
            done, _ = await asyncio.wait({work, reading}, return_when=asyncio.FIRST_COMPLETED)
            if work in done and isinstance(problem := work.exception(), _AWAY):
                raise problem
            if any(one.exception() is not None for one in done):
                raise ConnectionError("the program there does not answer as OBS does")
        finally:
            work.cancel()
            code = client.ws.close_code
            await client.disconnect()
        if code == _WRONG_PASSWORD:
            do = f'write password = "..." under [obs] in {settings_file()}; {_OPEN_SERVER.replace("Enable", "Show")}'
            raise OptionsError(f"OBS at {self._settings.address}", "the password is wrong", do)
        self._say_once("away", f"OBS: the connection was lost; {_TRIED_AGAIN}")

    async def _work(self, client: Any) -> None:
        if not await client.wait_until_identified(_IDENTIFY_S):
            raise TimeoutError("the program there does not answer as OBS does")
        answer = await client.call(simpleobsws.Request("GetSceneList"))
        if not answer.ok():  # OBS is starting
            raise ConnectionError(answer.requestStatus.comment or "it is not ready")
        scene, known = answer.responseData["currentProgramSceneName"], answer.responseData["scenes"]
        missing = sorted(set(self._settings.looks) - {one["sceneName"] for one in known})
        self._say_once("here", f"OBS: connected, scene {scene!r}")
        if missing:
            self._say(f"OBS has no scene {', '.join(map(repr, missing))}, which [obs.scenes] names")
        self._told.clear()
        if scene != self._scene:
            self._select_look(scene)
        look = self._controls.read().look
        while True:
            await self._changed.wait()
            self._changed.clear()
            before, look = look, self._controls.read().look
            if look != before:
                await self._select_scene(client, look)

    async def _scene_changed(self, event: dict[str, Any]) -> None:
        """Follow a scene that the user selected; the event of one that OBS was told to show is expected."""
        scene = event["sceneName"]
        if scene not in self._told:
            self._told.clear()
            self._select_look(scene)
            return
        while self._told.popleft() != scene:
            continue

    def _select_look(self, scene: str) -> None:
        self._scene = scene
        look = self._settings.looks.get(scene)
        if look is not None and look != self._controls.read().look:
            try:
                self._controls.apply(Command("look", look))
            except VeneerError as error:
                self._say(f"OBS: {error}")

    async def _select_scene(self, client: Any, look: str) -> None:
        scene = self._settings.scene_of(look)
        if scene is None or self._settings.looks.get(self._scene) == look:
            return
        before, self._scene = self._scene, scene
        self._told.append(scene)
        answer = await client.call(simpleobsws.Request("SetCurrentProgramScene", {"sceneName": scene}))
        if not answer.ok():
            self._scene = before
            self._told.remove(scene)
            self._say(f"OBS does not show the scene {scene!r}: {answer.requestStatus.comment}")

    def _say_once(self, state: str, line: str) -> None:
        """Say a line when the state of the connection changes, not at each attempt while OBS is away."""
        if state != self._state:
            self._state = state
            self._say(line)
