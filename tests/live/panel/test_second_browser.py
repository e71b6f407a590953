"""The control page in Firefox, with the real program on the demo."""

from __future__ import annotations

from pathlib import Path

from support.firefox import firefox
from support.panel_parts import PanelProgram

# The mean of red, green and blue of the preview's canvas.
_LIGHTNESS = """(() => {
  const canvas = document.getElementById("preview");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
  return sum / data.length / 0.75;
})()"""
_PRESSED = "document.querySelector('.tile[aria-pressed=true] .name')?.textContent"


def test_firefox_shows_and_controls_the_same(calm: PanelProgram, tmp_path: Path) -> None:
    with firefox(tmp_path / "firefox") as tab:
        tab.open(calm.link)
        tab.until("document.getElementById('preview').dataset.look === 'toon'")
        tab.until(f"{_PRESSED} === 'toon'")
        before = tab.script(_LIGHTNESS)
        tab.script("[...document.querySelectorAll('.tile')].find((one) => one.innerText.includes('sketch')).id = 'it'")
        tab.until("document.getElementById('it').dataset.status === 'ready'")
        tab.click("#it")
        tab.until("document.getElementById('preview').dataset.look === 'sketch'")
        tab.until(f"{_PRESSED} === 'sketch'")
        assert tab.script(_LIGHTNESS) > before + 5, "paper is lighter than the demo's wall"
        assert calm.message("state")["look"] == "sketch"
        tab.click("#panic")
        tab.until("document.getElementById('banner').dataset.level === 'card'")
        for name in ("adjust", "setup", "runs"):
            tab.click(f"#tab-{name}")
            tab.until(f"document.getElementById('panel-{name}').offsetHeight > 100")
        assert tab.script("violations.join()") == "" and tab.errors == []
        assert tab.requests and all(url.startswith((calm.origin, "blob:", "about:")) for url in tab.requests)
