"""Who may use the control page: the token, the one-time codes, and the check of Host and Origin.

A page of another site cannot read the token, a name that is rebound to this machine (DNS rebinding) fails the check of
Host, and a script of another origin fails the check of Origin.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from engines.errors import os_errors
from engines.files import atomic_write
from engines.paths import config_dir

SUBPROTOCOL = "veneer.v1"
_TOKEN = re.compile(r"[0-9a-f]{32}")  # 128 bits
_TOKEN_SUBPROTOCOL = "veneer.token."  # noqa: S105 - the name in front of it
_CODE_LIFE_S = 120.0
_MAX_ATTEMPTS = 10  # wrong codes until no code is accepted any more


def token_file() -> Path:
    """Return the path of the file with the token, which may not exist."""
    return config_dir() / "panel-token"


def load_token(*, renew: bool = False) -> str:
    """Return the token of this user, made on first use.

    It stays the same from run to run, so that an OBS dock or a script keeps working. The file is readable by this user
    only.

    Args:
        renew: Make a new one; links with the old one do not work any more.

    Raises:
        OptionsError: The file cannot be written.
    """
    path = token_file()
    if not renew and path.is_file():
        with os_errors(f"token file {path}", "delete it"):
            token = path.read_text(encoding="ascii", errors="replace").strip()
        if _TOKEN.fullmatch(token):
            return token
    token = secrets.token_hex(16)
    with os_errors(f"token file {path}", "let this user write the folder"):
        write_private(path, token + "\n")
    return token


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = os.umask(0o077) if os.name == "posix" else 0
    try:
        atomic_write(path, text)
    finally:
        if os.name == "posix":
            os.umask(before)


class PanelAccess:
    """Decides about requests. Safe to use from any thread.

    Args:
        token: See `load_token`.
        hosts: Values of the Host header that name this server ("127.0.0.1:8610").
        scheme: "http" or "https".
    """

    def __init__(self, token: str, hosts: Sequence[str], scheme: str = "http") -> None:
        self._token = token.encode()
        self.hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(f"{scheme}://{host}" for host in self.hosts)
        self._lock = threading.Lock()
        self._codes: dict[str, float] = {}  # one-time codes and when they end
        self._attempts = 0

    def is_host(self, host: str | None) -> bool:
        """Whether the Host header names this server."""
        return host is not None and host.lower() in self.hosts

    def is_origin(self, origin: str | None, *, required: bool) -> bool:
        """Whether the Origin header is that of the page; a script outside a browser sends none."""
        return not required if origin is None else origin.lower() in self.origins

    def is_token(self, token: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    def has_token(self, authorization: str | None) -> bool:
        """Whether an Authorization header holds the token ("Bearer TOKEN")."""
        kind, _, token = (authorization or "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(token.strip())

    def has_token_subprotocol(self, subprotocols: Sequence[str]) -> bool:
        """Whether a WebSocket offers the token: a browser can set no other header of it."""
        offered = [
            name.removeprefix(_TOKEN_SUBPROTOCOL) for name in subprotocols if name.startswith(_TOKEN_SUBPROTOCOL)
        ]
        return SUBPROTOCOL in subprotocols and len(offered) == 1 and self.is_token(offered[0])

    def new_code(self, *, digits: int = 0) -> str:
        """Return a code that can be exchanged for the token once, within two minutes.

        A browser is started with it rather than with the token, because other users see the arguments of programs.

        Args:
            digits: A number of so many digits, to be typed on a phone; 0 for 128 bits.
        """
        code = "".join(secrets.choice("0123456789") for _ in range(digits)) if digits else secrets.token_hex(16)
        with self._lock:
            self._attempts = 0
            self._codes[code] = time.monotonic() + _CODE_LIFE_S
        return code

    def redeem(self, code: str) -> str | None:
        """Return the token for a valid code, which is used up; None for any other. Ten wrong codes end all codes."""
        now_s = time.monotonic()
        with self._lock:
            self._codes = {one: end_s for one, end_s in self._codes.items() if now_s < end_s}
            known = [one for one in self._codes if hmac.compare_digest(one.encode(), code.encode("utf-8", "replace"))]
            if known:
                del self._codes[known[0]]
                return self._token.decode()
            self._attempts += 1
            if self._attempts >= _MAX_ATTEMPTS:
                self._codes.clear()
        return None
