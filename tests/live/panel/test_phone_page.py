"""The page for a phone in the same network: TLS, a code that is typed, and nothing for anybody else."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from support.cli_parts import call
from support.panel_parts import PHONE_HOST, PanelProgram

from live.panel.phone_certificate import phone_certificate

COMMAND = json.dumps({"words": ["look", "comic"]})


def any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def until(page: Any, selector: str) -> None:
    page.wait_for_selector(selector, timeout=120_000)


class Phone:
    """What a phone knows: the lines that the program printed."""

    def __init__(self, program: PanelProgram) -> None:
        self.line = program.command("panel", "phone")["says"]
        found = re.search(r"https://([0-9.]+):(\d+)/ and the code (\d{6}) .* SHA-256 is ([0-9A-F:]{95})$", self.line)
        assert found, self.line
        self.host, self.port, self.code, self.fingerprint = found[1], int(found[2]), found[3], found[4]

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def pair(self, code: str, **headers: str) -> tuple[int, dict[str, Any]]:
        status, body = self.request("POST", "/api/pair", json.dumps({"code": code}), **headers)
        return status, json.loads(body)

    def request(self, method: str, path: str, body: str, **headers: str) -> tuple[int, bytes]:
        """Send one request over TLS by a plain socket, and return status and body."""
        lines = {"Host": self.place, "Content-Length": str(len(body)), "Connection": "close", **headers}
        text = "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in lines.items()), "\r\n", body])
        with self.tls() as connection:
            connection.sendall(text.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return int(answer.split(b" ")[1]), answer.partition(b"\r\n\r\n")[2]

    @contextlib.contextmanager
    def tls(self) -> Iterator[ssl.SSLSocket]:
        with (
            socket.create_connection((self.host, self.port), timeout=20) as plain,
            any_certificate().wrap_socket(plain, server_hostname=self.host) as connection,
        ):
            yield connection

    @contextlib.contextmanager
    def web_socket(self, path: str, token: str, **headers: str) -> Iterator[tuple[int, ssl.SSLSocket]]:
        """Ask for a WebSocket; yield the status, 101 if it was opened, and the connection."""
        lines = {"Host": self.place, "Origin": f"https://{self.place}", "Sec-WebSocket-Version": "13"}
        lines |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dmVuZWVyIHZlbmVlciAhIQ=="}
        lines |= {"Sec-WebSocket-Protocol": f"veneer.v1, veneer.token.{token}", **headers}
        text = "".join([f"GET {path} HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in lines.items() if v), "\r\n"])
        with self.tls() as connection:
            connection.sendall(text.encode())
            yield int(connection.recv(4096).split(b" ")[1]), connection


def test_a_phone_is_paired_by_its_code(calm: PanelProgram, browser: Any) -> None:
    phone = Phone(calm)
    context = browser.new_context(
        ignore_https_errors=True, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto(f"https://{phone.place}/")
    until(page, "#pair[open]")
    page.fill("#pair-code", phone.code)
    page.get_by_role("button", name="Connect").click()
    until(page, "#connection[data-state=connected]")
    until(page, "#preview[data-pictures]")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    until(page, ".tile[data-status=ready] >> text=sketch")
    page.locator(".tile", has_text="sketch").tap()
    until(page, "#preview[data-look=sketch]")
    assert calm.message("state")["look"] == "sketch"
    page.locator("#panic").tap()
    until(page, "#banner[data-level=card]")
    assert calm.message("state")["panic"] is True
    context.close()
    assert phone.pair(phone.code)[0] == 403, "a code works once"


def test_the_certificate_is_the_printed_one(calm: PanelProgram) -> None:
    phone = Phone(calm)
    with phone.tls() as connection:
        certificate = connection.getpeercert(binary_form=True)
        assert certificate and connection.version() in ("TLSv1.2", "TLSv1.3")
    assert hashlib.sha256(certificate).hexdigest().upper() == phone.fingerprint.replace(":", "")
    with socket.create_connection((phone.host, phone.port), timeout=20) as plain, contextlib.suppress(OSError):
        plain.sendall(f"GET / HTTP/1.1\r\nHost: {phone.place}\r\n\r\n".encode())
        assert b"HTTP" not in plain.recv(4096), "nothing is served without TLS"


def test_a_phone_needs_its_own_token(calm: PanelProgram) -> None:
    phone = Phone(calm)
    token = phone.pair(phone.code)[1]["token"]
    good = {"Authorization": f"Bearer {token}"}
    assert token != calm.token
    assert phone.request("POST", "/api/command", COMMAND, **good)[0] == 200
    assert calm.request("POST", "/api/command", COMMAND, authorization=f"Bearer {token}")[0] == 403
    for wrong in (
        {"Authorization": f"Bearer {calm.token}"},
        {"Authorization": ""},
        good | {"Host": "evil.example"},
        good | {"Host": f"127.0.0.1:{calm.port}"},
        good | {"Origin": f"http://127.0.0.1:{calm.port}"},
        good | {"Origin": "https://evil.example"},
    ):
        assert phone.request("POST", "/api/command", COMMAND, **wrong)[0] == 403, wrong
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": ""}, {"Host": "evil.example"}):
        with phone.web_socket("/ws/state", token, **headers) as (status, _):
            assert status == (403 if headers else 101), headers
    with phone.web_socket("/ws/state", calm.token) as (status, _):
        assert status == 403, "the token of this machine's page"
    assert not any(token in line for line in calm.said)


def test_ten_guesses_end_the_code(calm: PanelProgram) -> None:
    phone = Phone(calm)
    guess = "000000" if phone.code != "000000" else "111111"
    connection = http.client.HTTPSConnection(phone.host, phone.port, context=any_certificate(), timeout=60)
    with contextlib.closing(connection):
        for code in (*[guess] * 10, phone.code):
            connection.request("POST", "/api/pair", json.dumps({"code": code}))
            answer = connection.getresponse()
            assert (answer.status, answer.read()[:12]) == (403, b'{"ok":false,')
    assert phone.pair(Phone(calm).code)[0] == 200


def frame(text: bytes) -> bytes:
    """Return a text message of a client, with a mask of zeros."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text


def assert_both_pages_answer(calm: PanelProgram, phone: Phone, token: str) -> None:
    assert calm.command("look", "comic")["ok"]
    assert phone.request("POST", "/api/command", COMMAND, Authorization=f"Bearer {token}")[0] == 200
    with calm.socket("/ws/preview") as reader:
        reader.send("next")
        assert reader.recv(timeout=60)[-2:] == b"\xff\xd9", "new pictures come"


def test_clients_of_the_network_that_never_read(calm: PanelProgram) -> None:
    phone = Phone(calm)
    token = phone.pair(phone.code)[1]["token"]
    with contextlib.ExitStack() as stack:
        for _ in range(20):  # without a TLS handshake
            stack.enter_context(socket.create_connection((phone.host, phone.port), timeout=20)).sendall(b"\x16\x03")
        for path in ["/ws/state"] * 4 + ["/ws/preview"] * 2:
            status, silent = stack.enter_context(phone.web_socket(path, token))
            assert status == 101
            silent.sendall(frame(b"next") * 100)
        assert_both_pages_answer(calm, phone, token)


def test_ten_thousand_malformed_messages_by_tls(calm: PanelProgram) -> None:
    phone = Phone(calm)
    token = phone.pair(phone.code)[1]["token"]
    junk = b"".join(map(frame, (b"", b"{", b"[]", b'{"words": 1}', b"[" * 3000, b"null", b"\x00" * 99, b"\xff")))
    for _ in range(25):
        with phone.web_socket("/ws/state", token) as (status, hostile), contextlib.suppress(OSError):
            assert status == 101
            for _ in range(50):
                hostile.sendall(junk)
    assert_both_pages_answer(calm, phone, token)


def test_fifty_clients_of_the_network_at_once(calm: PanelProgram) -> None:
    phone = Phone(calm)
    token = phone.pair(phone.code)[1]["token"]
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(phone.web_socket("/ws/state", token))[0] for _ in range(50)]
        assert 1 <= found.count(101) <= 16 and set(found) <= {101, 403}, found
        assert_both_pages_answer(calm, phone, token)


def test_the_certificate_stays_until_the_address_changes(veneer_home: object) -> None:
    path, fingerprint = phone_certificate(PHONE_HOST)
    assert path.stat().st_mode & 0o077 == 0
    assert phone_certificate(PHONE_HOST) == (path, fingerprint)
    assert phone_certificate("127.0.0.3") != (path, fingerprint)
    path.write_text("damaged")
    assert phone_certificate(PHONE_HOST)[1] != fingerprint


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("0.0.0.0", "not an IPv4 address of this machine - write it, or auto"),
        ("my-computer", "not an IPv4 address of this machine"),
        ("203.0.113.9", "control page at 203.0.113.9:"),
    ],
)
def test_a_wrong_address_ends_the_run_with_one_line(host: str, message: str) -> None:
    done = call("run", "--source", "demo", "--sink", "null", "--panel-host", host, "--no-browser")
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
