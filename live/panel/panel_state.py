"""What the page shows, as messages of one versioned schema: `state`, `looks` and `stats`.

docs/panel.md describes the fields. A change that breaks a reader raises `VERSION`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engines.drawing.medium import MEDIA
from engines.generators.shade import FINISHES
from engines.looks import AFTER_HOLD, NO_FACE, Look
from engines.styles import Style
from live.diagnostics.engine_status import in_words
from live.diagnostics.run_status import swaps_faces
from live.panel.look_tiles import LookTiles
from live.panel.viewer_words import viewers_see
from live.sources.source_choice import SourceChoice, as_offered

if TYPE_CHECKING:
    from live.session import Session

VERSION = 1
_NOTICES = 6
REGIONS = ("head", "face", "person", "frame")  # of drawn styles
MAX_HOLD_S = 60.0


class PanelState:
    """Reads a running session; every method may be called from any thread."""

    def __init__(self, session: Session, tiles: LookTiles) -> None:
        self._session, self._tiles = session, tiles

    def state(self) -> dict[str, Any]:
        """Return the settings and what viewers see."""
        session = self._session
        state = session.controls.read()
        output, shown_s = session.pipeline.sinks.output()
        seen = viewers_see(output, shown_s, state, watched=session.watched())
        swaps = swaps_faces(session.pipeline)
        return {
            "v": VERSION,
            "kind": "state",
            "look": state.look,
            "strength": round(state.strength, 3),
            "mirror": state.mirror,
            "frozen": state.frozen,
            "panic": state.panic,
            "bare": state.bare_side,
            "recording": session.recorder.progress() if state.recording else None,
            "viewers": {"level": seen.level, "words": f"face swap: {seen.words}" if swaps else seen.words},
            "waiting": session.pipeline.source_waits,
            "missing": [
                {"name": name, "says": f"{error.asked}: {error.got}", "do": error.do}
                for name, error in session.missing().items()
            ],
            "snapshots": session.recorder.snapshot_names(),
            "notices": [line for _, line in list(session.notices)[-_NOTICES:]],
        }

    def looks(self) -> dict[str, Any]:
        """Return all looks in the order of the tiles."""
        session = self._session
        looks = session.pipeline.parts.look_loader.looks
        keys = {name: key for key, name in session.controls.keys.items()}
        return {
            "v": VERSION,
            "kind": "looks",
            "looks": [self._look(looks[name], keys.get(name, "")) for name in session.controls.look_names],
            "choices": {
                "no_face": list(NO_FACE),
                "then": list(AFTER_HOLD),
                "finish": list(FINISHES),
                "region": list(REGIONS),
                "medium": list(MEDIA),
            },
            "painting": self._tiles.painting,
            "problem": self._tiles.problem,
            "can_undo": session.editor.can_undo,
        }

    def _look(self, look: Look, key: str) -> dict[str, Any]:
        loader = self._session.pipeline.parts.look_loader
        failure = loader.failures.get(look.name, "")
        ready = loader.is_loaded(look.name)
        return {
            "name": look.name,
            "about": look.about,
            "key": key,
            "covers": look.covers,
            "status": "cannot" if failure else "ready" if ready else "being built",
            "why": failure,
            "tile": self._tiles.version(look.name),
            "edited": self._session.editor.is_edited(look.name),
            "layers": _layers(self._session.editor.table(look.name)["layers"], look),
            "fallback": {"no_face": look.no_face, "hold_s": min(look.hold_s, MAX_HOLD_S), "then": look.then},
        }

    def stats(self) -> dict[str, Any]:
        """Return the measurements of the last seconds."""
        session = self._session
        pipeline, loader = session.pipeline, session.pipeline.parts.look_loader
        rate, p50, p95 = pipeline.timings.recent()
        look, info = session.controls.read().look, session.source_info()
        return {
            "v": VERSION,
            "kind": "stats",
            "fps": round(rate, 1),
            "p50_ms": round(p50, 1),
            "p95_ms": round(p95, 1),
            "dropped": pipeline.dropped,
            "stages_ms": pipeline.timings.recent_stages(),
            "engines": [{**_short(asdict(engine)), "words": in_words(engine)} for engine in loader.engines(look)],
            "building": loader.upgrades.progress(),
            "source": {"name": info.name, "size": list(info.size_wh), "fps": round(info.fps, 1)} if info else None,
            "sinks": pipeline.sinks.counts(),
            "sink_names": session.sink_names(),
            "readers": session.readers(),
            "choice": _choice(session.source_choice),
            "microphone": session.devices.microphone_state(),
        }


def _choice(choice: SourceChoice) -> dict[str, Any]:
    return {"name": as_offered(choice.source), "size": list(choice.size_wh), "fps": choice.fps}


def _layers(tables: list[dict[str, Any]], look: Look) -> list[dict[str, Any]]:
    """Return the layers of a look's table in order.

    The styles are those of the loaded look: reading them from their files twice a second would cost a tenth of a core.
    """
    styles = (layer.style for layer in look.layers if isinstance(layer.style, Style))
    layers = []
    for table in tables:
        shade = table["style"] == "shade"
        style = None if shade else next((one for one in styles if one.name == table["style"]), None)
        layers.append({"strength": 1.0, "finish": "satin", **table} if shade else _drawn(table, style))
    return layers


def _drawn(table: dict[str, Any], style: Style | None) -> dict[str, Any]:
    """Return what of a layer can be changed, with the values that hold where the table names none.

    Args:
        style: That of the layer; None for one that differs with the group of persons.
    """
    layer = {"strength": 1.0, **table}
    if style is None:
        return layer
    if style.covers:
        layer.setdefault("region", style.region)
    if style.output == "planes":
        layer.setdefault("medium", "cel")
    return layer


def _short(info: dict[str, Any]) -> dict[str, Any]:
    return {key: info[key] for key in ("style", "runtime", "precision", "device", "verdict", "why") if key in info}
