"""The control page in a real browser, with the real program on the demo."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.panel_parts import PHONE_HOST, PanelProgram, mean_colour
from support.root import ROOT

from engines.looks_file import load_looks


def until(page: Any, selector: str) -> None:
    page.wait_for_selector(selector, timeout=120_000)


def picture(page: Any) -> tuple[float, float, float]:
    return mean_colour(page.locator("#preview").screenshot())


def test_a_click_on_a_tile_changes_the_picture(page: Any, calm: PanelProgram) -> None:
    until(page, ".tile[data-status=ready] >> text=sketch")
    before = picture(page)
    page.locator(".tile", has_text="sketch").click()
    until(page, "#preview[data-look=sketch]")
    until(page, ".tile[aria-pressed=true] >> text=sketch")
    after = picture(page)
    assert min(after) > max(before) + 5, "paper is lighter than the demo's wall"
    assert page.locator("#viewers").inner_text() == "covered by sketch"
    assert "look: sketch" in calm.ctl("status")


def test_keys_select_looks_and_strength(page: Any, calm: PanelProgram) -> None:
    until(page, '.tile[data-status=ready] >> text="comic"')
    page.keyboard.press("2")
    until(page, '.tile[aria-pressed=true] >> text="comic"')
    page.keyboard.press("[")
    until(page, "#strength-value:has-text('90 %')")
    assert calm.message("state")["strength"] == 0.9
    until(page, "#banner[data-level=thin]")
    assert page.locator("#viewers").inner_text() == "90% covered by comic: the face shows through"


def test_the_strength_is_dragged(page: Any, calm: PanelProgram) -> None:
    box = page.locator("#strength").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 10, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=6)
    page.mouse.up()
    until(page, "#banner[data-level=thin]")
    assert 0.4 < calm.message("state")["strength"] < 0.6


def names(page: Any) -> list[str]:
    """Return the names of the visible tiles in order."""
    found: list[str] = page.locator("#tiles li:visible .name").all_inner_texts()
    return found


def test_tiles_are_searched_starred_and_moved(page: Any, calm: PanelProgram) -> None:
    until(page, '.tile[data-status=ready] >> text="gouache"')
    given = names(page)
    page.fill("#search", "ink")
    assert "comic" in names(page) and "toon" not in names(page), "its description is searched too"
    page.fill("#search", "no such look")
    assert page.locator("#no-match").is_visible()
    page.fill("#search", "")
    page.get_by_role("button", name="Favourite: soft", exact=True).click()
    page.click("#only-favourites")
    assert names(page) == ["soft"]
    page.click("#only-favourites")
    page.locator('.tile:has(.name:text-is("comic"))').focus()
    page.keyboard.press("Alt+ArrowLeft")
    moved = [one["name"] for one in calm.message("looks")["looks"]]
    assert names(page)[1:3] == ["comic", "toon"] == moved[1:3]
    assert "order = [" in (calm.home / "config" / "looks.toml").read_text()
    page.locator('.tile:has(.name:text-is("comic"))').drag_to(page.locator('.tile:has(.name:text-is("gouache"))'))
    page.wait_for_timeout(500)
    while names(page) != given:  # back, by the keyboard, so that the keys of the other tests stay
        page.locator('.tile:has(.name:text-is("comic"))').focus()
        page.keyboard.press("Alt+ArrowLeft" if names(page).index("comic") > given.index("comic") else "Alt+ArrowRight")


def test_ctl_and_a_second_tab_show_the_same(page: Any, browser: Any, calm: PanelProgram) -> None:
    second = browser.new_page()
    second.goto(calm.link)
    until(second, '.tile[aria-pressed=true] >> text="toon"')
    calm.ctl("look", "none")
    for tab in (page, second):
        until(tab, ".tile[aria-pressed=true] >> text=none")
        until(tab, "#banner[data-level=bare]")
        assert tab.locator("#viewers").inner_text() == "BARE"
    second.close()


def _details(page: Any) -> int:
    """Return the size of the largest of several pictures as PNG; the demo's portrait leaves the frame for a while."""
    sizes = []
    for _ in range(12):
        page.wait_for_timeout(500)
        sizes.append(len(page.locator("#preview").screenshot()))
    return max(sizes)


def test_the_bare_side_is_blurred_until_switched_on(page: Any, calm: PanelProgram) -> None:
    page.click("#compare")
    until(page, "#before-caption:has-text('before, blurred')")
    page.locator("#split").fill("100")
    hidden = _details(page)
    page.click("#bare")
    until(page, "#before-caption:text-is('before')")
    until(page, "#bare-note")
    assert _details(page) > 1.5 * hidden, "a blurred picture has no details"
    assert calm.message("state")["viewers"]["level"] != "bare", "covered, or blurred while the portrait is away"
    page.click("#compare")
    page.wait_for_selector("#bare-note", state="hidden")
    assert calm.message("state")["bare"] is False


def test_a_link_with_a_code_works_once(browser: Any, calm: PanelProgram) -> None:
    link = calm.ctl("panel")
    first, second = browser.new_page(), browser.new_page()
    first.goto(link)
    until(first, "#connection[data-state=connected]")
    assert "code" not in first.url
    first.reload()
    until(first, "#connection[data-state=connected]")
    second.goto(link)
    until(second, "#pair[open]")
    second.fill("#pair-code", "123456")
    second.get_by_role("button", name="Connect").click()
    until(second, "#pair-text:has-text('used, is too old or wrong')")
    first.close()
    second.close()


def test_the_page_fits_a_dock(page: Any) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") == 320
    for name in ("Panic", "Freeze", "Record", "Snapshot"):
        assert page.get_by_role("button", name=name).is_visible()


def test_tiles_are_painted_on_the_wearer(page: Any, calm: PanelProgram) -> None:
    image = page.locator(".tile", has_text="sketch").locator("img")
    image.wait_for(state="visible", timeout=120_000)
    portrait = image.get_attribute("src")
    assert calm.request("GET", "/api/tiles/sketch")[1]["cache-control"] == "no-store"
    page.click("#face")
    for _ in range(600):
        if image.get_attribute("src") != portrait:
            break
        page.wait_for_timeout(200)
    assert image.get_attribute("src") != portrait
    assert not list(calm.home.rglob("*.jpg")), "tiles and snapshot are kept in memory only"


def test_a_changed_look_is_saved_and_undone(page: Any, calm: PanelProgram) -> None:
    file = calm.home / "config" / "looks.toml"
    file.write_text('# mine\n[looks.evening]  # for parties\nlayers = [{ style = "lips-glaze" }] # gloss\n')
    page.locator(".tile", has_text="matte-red").click()
    page.click("#tab-adjust")
    until(page, "#adjust-name:text-is('matte-red')")
    page.locator("[data-key=color]").fill("#1040c0")
    until(page, "#adjust-name:text-is('matte-red, changed')")
    page.click("#undo")
    until(page, "#adjust-name:text-is('matte-red')")
    page.locator("[data-key=finish]").select_option("gloss")
    until(page, "#adjust-name:text-is('matte-red, changed')")
    page.fill("#save-name", "blue hour")
    page.get_by_role("button", name="Save as my look").click()
    until(page, "#adjust-name:text-is('blue hour')")
    text = file.read_text()
    assert text.startswith("# mine\n[looks.evening]  # for parties\n") and "# gloss" in text
    assert load_looks(file)["blue hour"].layers[0].style.finish == "gloss"  # type: ignore[union-attr]
    assert not calm.message("looks")["can_undo"]


def test_panic_puts_the_card_into_the_output(page: Any, calm: PanelProgram) -> None:
    page.click("#panic")
    until(page, "#banner[data-level=card]")
    assert page.locator("#panic").get_attribute("aria-pressed") == "true"
    assert "panic: on" in (status := calm.ctl("status")) and "viewers see: card" in status
    page.keyboard.press("b")
    until(page, "#banner[data-level=covered]")


def test_recording_shows_its_time_and_size(page: Any, calm: PanelProgram) -> None:
    page.click("#record")
    until(page, "#record-text:has-text('0:01')")
    page.click("#record")
    page.wait_for_selector("#record-badge", state="hidden")
    page.click("#snapshot")
    until(page, "#shots img")
    assert len(list((calm.home / "pictures").glob("*.png"))) == 1


def test_checks_and_measurements_are_shown(page: Any) -> None:
    page.click("#tab-setup")
    page.click("#phone")
    until(page, f"#phone-note:has-text('on a phone: https://{PHONE_HOST}:')")
    page.click("#doctor")
    until(page, "#checks li:has-text('works: settings')")
    until(page, "#checks li:has-text('1 face found on the built-in portrait')")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#report")
    until(page, "#report:has-text('Copied')")
    report = json.loads(page.evaluate("() => navigator.clipboard.readText()"))
    assert report["frames_out"] > 0 and report["options"]["source"] == "demo"
    page.click("#tab-runs")
    until(page, "#chart-fps strong:not(:empty)")
    assert "openvino" in page.locator("#engines").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Any, scheme: str) -> None:
    axe = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed: npm ci")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(axe.read_text(encoding="utf-8"))
    for name in ("looks", "adjust", "setup", "runs"):
        page.click(f"#tab-{name}")
        page.wait_for_selector(f"#panel-{name}", state="visible")
        found = page.evaluate("async () => (await axe.run()).violations")
        assert [(name, one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_no_request_leaves_the_machine(page: Any, calm: PanelProgram) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    until(page, "#connection[data-state=connected]")
    assert asked and all(url.startswith((calm.origin, "blob:")) for url in asked), asked


def test_the_page_is_small() -> None:
    files = [path for path in (ROOT / "live" / "panel" / "page").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 150_000
