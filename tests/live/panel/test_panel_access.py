"""Who is refused: other origins, other hosts, requests without the token, malformed and oversized messages."""

from __future__ import annotations

import contextlib
import json
import stat
import time

import pytest
from support.panel_parts import PanelProgram
from websockets.exceptions import ConnectionClosed, InvalidStatus

from live.panel.panel_access import PanelAccess, load_token, token_file

LOOK = json.dumps({"words": ["look", "comic"]})


def test_a_script_sends_a_command(calm: PanelProgram) -> None:
    assert calm.command("look", "comic") == {"ok": True, "says": "look comic"}
    assert calm.message("state")["look"] == "comic"
    refused = calm.command("look", "comci")
    assert refused["ok"] is False and "did you mean 'comic'" in refused["error"]


def test_each_layer_is_offered_with_what_it_has(calm: PanelProgram) -> None:
    looks = {one["name"]: one["layers"] for one in calm.message("looks")["looks"]}
    assert [(one["style"], one["region"]) for one in looks["sketch"]] == [("sketch", "frame"), ("sketch", "head")]
    assert looks["toon"][0]["medium"] == "cel" and looks["matte-red"][0]["finish"] == "matte"


def test_the_state_comes_at_most_ten_times_a_second(calm: PanelProgram) -> None:
    with calm.socket("/ws/state") as socket:
        started_s, came = time.monotonic(), 0
        for number in range(300):
            socket.send(json.dumps({"words": ["strength", str(0.1 + number % 90 / 100)]}))
            while json.loads(message := socket.recv(timeout=20))["kind"] != "answer":
                came += json.loads(message)["kind"] == "state"
            time.sleep(0.01)
        assert 2 <= came <= 10 * (time.monotonic() - started_s) + 2


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer " + "0" * 32},
        {"host": "evil.example"},
        {"host": "127.0.0.1:1"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
    ids=str,
)
def test_foreign_requests_are_refused(calm: PanelProgram, headers: dict[str, str]) -> None:
    status, _, body = calm.request("POST", "/api/command", LOOK, **headers)
    assert status in (400, 403) and b"look" not in body
    assert calm.message("state")["look"] == "toon"


@pytest.mark.parametrize("path", ["/ws/state", "/ws/preview"])
def test_sockets_need_token_origin_and_host(calm: PanelProgram, path: str) -> None:
    attempts: list[dict[str, object]] = [
        {"token": "f" * 32},
        {"origin": "https://evil.example"},
        {"origin": None},
        {"additional_headers": {"Host": "evil.example"}},
    ]
    for attempt in attempts:
        with pytest.raises((InvalidStatus, ConnectionClosed)), calm.socket(path, **attempt):  # type: ignore[arg-type]
            pytest.fail(f"{path} was opened with {attempt}")


def test_answers_are_not_stored_and_load_nothing(calm: PanelProgram) -> None:
    for path in ("/", "/page/main.js"):
        status, headers, _ = calm.request("GET", path, authorization="")
        assert status == 200 and headers["cache-control"] == "no-store"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "http:" not in policy
        assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/page/../panel_app.py", "/page/%2e%2e%2fpanel_app.py", "/page/main.js%00", "/etc"])
def test_no_file_beside_the_page_is_served(calm: PanelProgram, path: str) -> None:
    assert calm.request("GET", path)[0] == 404


def test_large_bodies_are_refused(calm: PanelProgram) -> None:
    assert calm.request("POST", "/api/command", "x" * 100_000)[0] == 413
    with calm.socket("/ws/state") as socket, pytest.raises(ConnectionClosed):
        socket.send(json.dumps({"words": ["look", "x" * 10_000]}))
        while True:
            socket.recv(timeout=20)


def test_the_token_is_private_and_stays(veneer_home: object) -> None:
    token = load_token()
    assert len(bytes.fromhex(token)) == 16
    assert load_token() == token
    assert stat.S_IMODE(token_file().stat().st_mode) == 0o600
    assert load_token(renew=True) != token


def test_wrong_codes_end_all_codes() -> None:
    access = PanelAccess("a" * 32, ["127.0.0.1:1"])
    code = access.new_code(digits=6)
    assert all(access.redeem("no") is None for _ in range(10))
    assert access.redeem(code) is None
    again = access.new_code(digits=6)
    assert access.redeem(again) == "a" * 32
    assert access.redeem(again) is None


def test_the_token_is_in_no_message(calm: PanelProgram) -> None:
    calm.request("GET", f"/?token={calm.token}")
    assert not any(calm.token in line for line in calm.said)


def frames_out(program: PanelProgram) -> int:
    _, _, body = program.request("GET", "/api/report")
    count: int = json.loads(body)["frames_out"]
    return count


def assert_streams(program: PanelProgram) -> None:
    """New frames come out, and commands are executed."""
    before = frames_out(program)
    deadline_s = time.monotonic() + 60
    while frames_out(program) < before + 5:
        assert time.monotonic() < deadline_s, "no new frames"
        time.sleep(0.1)
    assert program.command("look", "toon")["ok"]


def test_ten_thousand_malformed_messages(calm: PanelProgram) -> None:
    junk = [
        "",
        "{",
        "[]",
        '{"words": 1}',
        '{"words": []}',
        "[" * 3000,
        "null",
        '"\\ud800"',
        '{"words": [1]}',
        "\x00" * 99,
    ]
    for _ in range(20):
        with contextlib.suppress(ConnectionClosed), calm.socket("/ws/state") as socket:
            for index in range(500):
                socket.send(junk[index % len(junk)].encode() if index % 3 == 0 else junk[index % len(junk)])
    for body in junk:
        assert calm.request("POST", "/api/command", body)[0] == 400
    assert_streams(calm)


def test_clients_that_never_read(calm: PanelProgram) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            socket = stack.enter_context(calm.socket("/ws/preview", max_queue=1, close_timeout=1))
            with contextlib.suppress(ConnectionClosed):
                for _ in range(100):
                    socket.send("next")
        assert_streams(calm)
        reader = stack.enter_context(calm.socket("/ws/preview"))
        reader.send("next")
        assert reader.recv(timeout=60)[-2:] == b"\xff\xd9", "the end of a JPEG"


def test_fifty_clients_at_once(calm: PanelProgram) -> None:
    with contextlib.ExitStack() as stack:
        opened = 0
        for _ in range(50):
            with contextlib.suppress(InvalidStatus, ConnectionClosed, EOFError, TimeoutError):
                stack.enter_context(calm.socket("/ws/state"))
                opened += 1
        assert 1 <= opened <= 16
        assert_streams(calm)
