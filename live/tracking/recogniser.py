"""Recognises the enrolled people on the frames of one stream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from engines.errors import VeneerError
from engines.identity.decision import nearest
from engines.identity.network import EMBEDDED, Embeddings, IdentityNetwork, open_network
from engines.identity.people import People, unknown_person
from engines.looks import Look
from live.pipeline.frame import Face, Frame
from live.tracking.person_tracks import STRANGER, PersonTracks, Seen
from live.tracking.scene_cut import SceneCut

_BETWEEN = 0.1  # above the threshold, as a share of it: neither the person nor a stranger


class Recogniser:
    """Says who is on each frame; the network is loaded at the first frame.

    Args:
        names: The people that the selected look names. Raises OptionsError if one of them is not enrolled.
        network: Name of the identity network.
        still: For single pictures.
        others: The people that other looks name. While one of them is not enrolled, a face that is not known may be
            theirs, and stays undecided.
    """

    def __init__(
        self, names: Collection[str], network: str = EMBEDDED, *, still: bool = False, others: Collection[str] = ()
    ) -> None:
        self._network: IdentityNetwork = open_network(network)
        known, version = People.load(), self._network.card.version
        self._people: Mapping[str, Embeddings] = known.of(version)
        for name in sorted(names):
            if name not in self._people:
                raise unknown_person(name, set(self._people))
        self.unknown = sorted(name for name in others if name not in self._people)
        self._all_enrolled = bool(self._people) and not self.unknown
        self._limit = known.thresholds.get(version, self._network.card.threshold)
        self._tracks, self._cut = PersonTracks(still=still), SceneCut()
        self._faces = 0
        self._seen = Seen()

    def recognise(self, frame: Frame, faces: tuple[Face, ...]) -> Seen:
        """Return who is on a frame; at most one face of it is embedded."""

        def judge(face: Face) -> str | None:
            if not self._people:
                return None
            (name, distance), *_ = nearest(self._people, self._network.embed(frame.bgr, face.landmarks_xy))
            if distance < self._limit:
                return name
            return STRANGER if self._all_enrolled and distance > (1 + _BETWEEN) * self._limit else None

        self._faces, self._seen = (
            len(faces),
            self._tracks.update(faces, frame.time_s, judge, cut=self._cut.seen(frame.bgr)),
        )
        return self._seen

    def in_words(self) -> str:
        """Return who is seen now: "me, a stranger, 1 unsure"."""
        names = [name or "a stranger" for name in self._seen.names.values()]
        unsure = self._faces - len(names)
        return ", ".join(names + ([f"{unsure} unsure"] if unsure > 0 else []))


def recogniser_for(
    looks: Mapping[str, Look],
    selected: Look,
    network: str,
    *,
    still: bool = False,
    say: Callable[[str], None] = lambda _line: None,
) -> Recogniser | None:
    """Return the recogniser of a run; None if no look names people.

    People of other looks who are not enrolled are named in one line: until they are, unknown faces stay undecided.

    Raises OptionsError if the selected look names people who are not enrolled.
    """
    if not any(look.names for look in looks.values()):
        return None
    try:
        others = frozenset(name for look in looks.values() for name in look.names)
        recogniser = Recogniser(selected.names, network, still=still, others=others)
    except VeneerError as error:
        if selected.names:
            raise
        say(f"looks for some persons treat everyone as undecided: {error}")
        return None
    if recogniser.unknown:
        looks_of = [name for name, look in looks.items() if not look.names.isdisjoint(recogniser.unknown)]
        unknown, do = ", ".join(recogniser.unknown), "Use veneer enroll NAME"
        say(f"looks {', '.join(looks_of)}: {unknown} not enrolled, so unknown faces stay undecided. {do}")
    return recogniser
