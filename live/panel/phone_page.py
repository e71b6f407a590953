"""The control page for a phone in the same network: TLS, and a code that is typed once.

It has a token of its own, which no file holds: a phone is paired until the program ends, and the link of an OBS dock
does not open the page from another machine.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

from engines.errors import OptionsError
from live.panel.page_server import listen, page_server
from live.panel.panel_access import PanelAccess
from live.panel.panel_app import PanelApp
from live.panel.phone_certificate import phone_certificate

_CODE_DIGITS = 6


class PhonePage:
    """The server for one address of this machine.

    Args:
        host: The address, or "auto" for the one by which this machine reaches its network.
        port: See `listen`.
        new_app: Returns the application for the requests that an access admits.

    Attributes:
        server: To be run in the loop of the control page with `socket`.

    Raises:
        OptionsError: The machine has no such address, or no network.
    """

    def __init__(self, host: str, port: int, new_app: Callable[[PanelAccess], PanelApp]) -> None:
        address = own_address() if host == "auto" else host
        path, self._fingerprint = phone_certificate(address)
        self.socket = listen(address, port)
        self._place = f"{address}:{self.socket.getsockname()[1]}"
        self._access = PanelAccess(secrets.token_hex(16), [self._place], "https")
        self.server = page_server(new_app(self._access), path)

    def invitation(self) -> str:
        """Return one line with the address, a new code and the certificate's fingerprint."""
        code = self._access.new_code(digits=_CODE_DIGITS)
        return (
            f"on a phone: https://{self._place}/ and the code {code} (works once, within two minutes); the phone warns "
            f"of the certificate, which is right if its SHA-256 is {self._fingerprint}"
        )


def own_address() -> str:
    """Return the IPv4 address by which this machine reaches its network; nothing is sent.

    Raises:
        OptionsError: It has no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation: it chooses the route
        except OSError as error:
            do = "connect it to a network, or name an address"
            raise OptionsError("--panel-host auto", "this machine has no network", do) from error
        return str(probe.getsockname()[0])
