"""What a request, an address and all requests together may cost."""

import ipaddress
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
        bytes: of its body.
        pixels: of a picture, once unpacked.
        digits: found in a picture.
        seconds: from the end of its body to its answer.
        waiting: pictures at work or waiting at a time.
        head_bytes: of its first line and its headers.
        head_seconds: until the head is in, from the connection or the first byte of the head.
        body_seconds: until the body is in, from the end of the head.
        connections: open at a time.
        per_address: connections of one address, but for this machine's own.
        held: bytes of all bodies larger than SMALL_BODY that are held at a time.
    """

    bytes: int = 16_000_000
    pixels: int = 25_000_000
    digits: int = 200
    seconds: float = 10.0
    waiting: int = 64
    head_bytes: int = 16_384
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    connections: int = 2_000
    per_address: int = 256
    held: int = 256_000_000


SMALL_BODY = 65_536  # bytes; a body up to this size is held without being counted


class Gate:
    """Counts the connections that are open, in all and from each address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count one connection more, unless there are too many; say whether it was counted.

        Args:
            address: of the client, as the socket gives it. This machine's own may open any
                number, because a proxy on it passes on many users' requests.
        """
        key = network(address)
        full = self._open.total() >= self._limits.connections
        if full or (self._open[key] >= self._limits.per_address and not is_loopback(address)):
            return False
        self._open[key] += 1
        return True

    def leave(self, address: str) -> None:
        """Count one connection less."""
        key = network(address)
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]


def network(address: str) -> str:
    """Return what one client owns: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def is_loopback(address: str) -> bool:
    """Decide whether an address is this machine's own, which no other machine can use."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
