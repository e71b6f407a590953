"""`veneer enroll`, `verify`, `who` and `people`: whose face it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

if TYPE_CHECKING:
    from engines.identity.network import IdentityNetwork

_Network = Annotated[str, Option(help="Identity network: embedded, or one that you added.")]
_CALIBRATE_AGAIN = "the calibrated threshold was that of other people: run veneer people calibrate again"
people = typer.Typer(help="List the enrolled people, remove one, or calibrate the threshold on them.")


def enroll(
    name: Annotated[str, Argument(metavar="NAME")],
    photos: Annotated[list[Path] | None, Argument(metavar="[PHOTO...]", help="Photos of that person alone.")] = None,
    camera: Annotated[bool, Option("--camera", help="Look into the camera for ten seconds instead.")] = False,
    source: Annotated[str, Option(help="Camera number, device or film, with --camera.")] = "0",
    network: _Network = "embedded",
) -> None:
    """Enroll a person, from photos or by the camera: turn the head a little while it looks.

    Only embeddings are kept, in one file that only you can read. The person's earlier ones are replaced.
    """
    from engines.errors import OptionsError
    from engines.identity.network import open_network
    from engines.identity.people import People, check_name, people_file

    check_name(name)
    if bool(photos) == camera:
        got = "both photos and --camera" if camera else "neither photos nor --camera"
        raise OptionsError(f"enroll {name}", got, "name photos of that person, or add --camera")
    known, opened = People.load(), open_network(network)
    from live.tracking.known_faces import LITTLE_TURN, embeddings_from, embeddings_of

    if camera:
        from live.sources.source_factory import open_source

        typer.echo("look into the camera, and turn your head a little to each side", err=True)
        found, turned = embeddings_from(open_source(source, size_wh=(1280, 720), fps=30.0, pace=False), opened)
        if turned < LITTLE_TURN:
            typer.echo("the head hardly turned: enroll again, and turn it, to be known from the side too", err=True)
    else:
        found = embeddings_of(photos or [], opened)
    was_calibrated = known.enroll(opened.card.version, name, found)
    known.save()
    kept = len(known.of(opened.card.version)[name])
    typer.echo(f"{name}: {kept} embeddings of network {network} -> {people_file()}")
    if kept < len(found):
        typer.echo(f"{len(found) - kept} more were left out: {kept} are kept of a person", err=True)
    if was_calibrated:
        typer.echo(_CALIBRATE_AGAIN, err=True)


def verify(
    name: Annotated[str, Argument(metavar="NAME")],
    photo: Annotated[Path, Argument(metavar="PHOTO")],
    network: _Network = "embedded",
    threshold: Annotated[float | None, Option(min=0, max=4, help="Squared distance.", show_default="own")] = None,
) -> None:
    """Say whether a photo shows that person. The exit code is 0 for yes, 1 for no."""
    from engines.identity.decision import distance_to
    from engines.identity.people import People, unknown_person
    from live.tracking.known_faces import one_face

    known, opened = People.load(), _open(network)
    people = known.of(opened.card.version)
    if name not in people:
        raise unknown_person(name, set(people))
    limit = _threshold(known, opened, threshold)
    distance = distance_to(people[name], opened.embed(*one_face(photo)))
    typer.echo(f"{name}: {'yes' if distance < limit else 'no'}, distance {distance:.3f}, threshold {limit:.3f}")
    raise typer.Exit(int(distance >= limit))


def who(photo: Annotated[Path, Argument(metavar="PHOTO")], network: _Network = "embedded") -> None:
    """Say who is on a photo, for each face from left to right. The exit code is 1 if no person is known."""
    from engines.identity.decision import nearest
    from engines.identity.people import People, unknown_person
    from live.tracking.known_faces import MOST_FACES, faces_of

    known, opened = People.load(), _open(network)
    people = known.of(opened.card.version)
    if not people:
        raise unknown_person("ME", set())
    limit, anybody = _threshold(known, opened, None), False
    bgr, faces = faces_of(photo)
    for face in sorted(faces, key=lambda one: float(one.landmarks_xy[:, 0].mean())):
        (name, distance), *_ = nearest(people, opened.embed(bgr, face.landmarks_xy))
        anybody |= distance < limit
        line = f"{name}, distance" if distance < limit else f"unknown; nearest is {name}, distance"
        typer.echo(f"{line} {distance:.3f}, threshold {limit:.3f}")
    if len(faces) == MOST_FACES:
        typer.echo(f"{photo}: at most {MOST_FACES} faces are looked at", err=True)
    raise typer.Exit(int(not anybody))


@people.callback(invoke_without_command=True)
def list_people(context: typer.Context) -> None:
    """List the enrolled people, remove one, or calibrate the threshold on them."""
    from engines.identity.network import network_versions
    from engines.identity.people import People, people_file

    if context.invoked_subcommand is not None:
        return
    known = People.load()
    names = network_versions() if known.known else {}
    for version, entries in known.known.items():
        network = names.get(version, f"{version}, which is not installed: enroll again")
        for name, rows in sorted(entries.items()):
            typer.echo(f"{name}  {len(rows)} embeddings  network {network}")
    typer.echo(f"{len({name for one in known.known.values() for name in one})} people in {people_file()}")


@people.command()
def remove(name: Annotated[str, Argument(metavar="NAME")]) -> None:
    """Remove a person's embeddings, of all networks."""
    from engines.identity.people import People

    known = People.load()
    was_calibrated = known.remove(name)
    known.save()
    typer.echo(f"{name} removed")
    if was_calibrated:
        typer.echo(_CALIBRATE_AGAIN, err=True)


@people.command()
def calibrate(network: _Network = "embedded") -> None:
    """Set the threshold between the enrolled people's own distances and those to each other."""
    from engines.errors import OptionsError
    from engines.identity.decision import calibrated_threshold
    from engines.identity.people import People

    known, opened = People.load(), _open(network)
    version, usual = opened.card.version, opened.card.threshold
    limit = calibrated_threshold(known.of(version), usual)
    if limit is None:
        got = "fewer than two people with three photos each, or people who are too alike"
        raise OptionsError("people calibrate", got, "enroll two people with three photos each")
    known.thresholds[version] = limit
    known.save()
    typer.echo(f"threshold of network {network}: {limit:.3f} (usually {usual:.3f})")


def _open(network: str) -> IdentityNetwork:
    from engines.identity.network import open_network

    return open_network(network)


def _threshold(known: object, opened: IdentityNetwork, given: float | None) -> float:
    from engines.identity.people import People

    assert isinstance(known, People)
    return given if given is not None else known.thresholds.get(opened.card.version, opened.card.threshold)
