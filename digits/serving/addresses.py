"""Addresses to listen on, and those that a user may open."""

import socket

from digits.base.errors import UserError
from digits.serving.limits import is_loopback

ANY = ("0.0.0.0", "::")  # noqa: S104
ELSEWHERE = "192.0.2.1"  # is kept for documentation: the way there leads through the network


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Args:
        host: a name or an address; "0.0.0.0" or "::" is all of this machine's.
        port: 0 is any that is free.

    Raises:
        UserError: it cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Only with both does every address of the machine reach it.
        both = address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address[:2], family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise UserError(f"{host}:{port}: {reason}; name another with --host or --port") from None
    except UnicodeError:  # of a label that is empty or has more than 63 letters
        raise UserError(f"{host}: not a name of a host; name another with --host") from None


def is_local(listener: socket.socket) -> bool:
    """Decide whether only this machine reaches an address."""
    return is_loopback(listener.getsockname()[0])


def url(listener: socket.socket, scheme: str = "http") -> str:
    """Return the URL for a browser; beyond loopback, for a browser on another machine."""
    address, port = listener.getsockname()[:2]
    if address in ANY:
        address = _of_machine()
    shown = f"[{address}]" if ":" in address else address
    return f"{scheme}://{shown}:{port}"


def _of_machine() -> str:
    """Find this machine's address in the network, by the route that a packet would take."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ELSEWHERE, 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
