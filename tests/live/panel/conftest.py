"""One running program and one browser for the tests of the control page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.panel_parts import PHONE_HOST, PanelProgram, chromium, panel_program


@pytest.fixture(scope="module")  # it paints all the time, also beside the tests of other files
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelProgram]:
    """A program that the tests of a file share; `calm` brings it back to the same settings."""
    with panel_program(tmp_path_factory.mktemp("p"), "--panel-host", PHONE_HOST) as running:
        yield running


@pytest.fixture
def calm(program: PanelProgram) -> Iterator[PanelProgram]:
    """The shared program with the look toon at full strength, and nothing switched on."""
    yield program
    for words in (("look", "toon"), ("strength", "1"), *((verb, "off") for verb in ("panic", "freeze", "bare"))):
        program.command(*words)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Any, calm: PanelProgram) -> Iterator[Any]:
    """The control page in a tab, with a picture; a script error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    errors: list[str] = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(calm.link)
    tab.wait_for_selector("#preview[data-pictures]", timeout=120_000)
    yield tab
    context.close()
    assert errors == []
