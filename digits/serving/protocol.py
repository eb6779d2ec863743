"""Uvicorn's HTTP protocol with bounds on what uvicorn leaves unbounded.

Uvicorn limits neither the size nor the time of a request's head, nor the number of
connections, nor how long a client may take to fetch its answer.
"""

import asyncio
import re
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from digits.serving.limits import Gate, Limits

FETCH_SECONDS = 30.0  # for a client to fetch what fills its buffer
CLOSE_SECONDS = 5.0  # for a client to fetch the rest of the last answer
# A client may offer to go on by another protocol, as Java's offers HTTP/2. The parser would leave
# out the body of such a request, so that it does not see the offer.
UPGRADE = re.compile(rb"(?im)^upgrade(?=:)")


class HeadTooLargeError(Exception):
    """The head of a request has more bytes than it may."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed when its client exceeds a limit."""

    def __init__(self, *arguments: Any, limits: Limits, gate: Gate, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits, self._gate = limits, gate
        self._address = ""
        self._is_counted = self._is_in_head = self._is_head_too_large = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._fetch_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and wait for its first request."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._is_counted = self._gate.enter(self._address)
        if self._is_counted:
            self._start_head_timer()
        else:
            self._refuse(503, "too many connections; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self._is_counted:
            self._gate.leave(self._address)
            self._is_counted = False
        for timer in (self._head_timer, self._fetch_timer):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is more of a head than there may be."""
        if self.transport.is_closing():
            return
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._start_head_timer()
        if self._head_timer is not None:
            head, end, rest = data.partition(b"\r\n\r\n")
            data = UPGRADE.sub(b"Ignored", head) + end + rest
        # A parser that is fed one header for ever would copy it again for each piece.
        while self._is_in_head and data:
            room = self._limits.head_bytes - self._head_bytes
            if room <= 0:
                self._is_head_too_large = True
                self.send_400_response("")
                return
            piece, data = data[:room], data[room:]
            self._head_bytes += len(piece)
            super().data_received(piece)
        if data:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to count the bytes of a head."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._counted = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._is_in_head = False
        self._stop_head_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, or has too large a head."""
        if self._is_head_too_large:
            self._refuse(431, f"a head has at most {self._limits.head_bytes:,} bytes")
        else:
            self._refuse(400, "not an HTTP request")

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the client to fetch the last answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_later()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has had no request for some time."""
        super().timeout_keep_alive_handler()
        self._abort_later()

    def pause_writing(self) -> None:
        """Wait for the client to fetch what it was sent, but not for ever."""
        super().pause_writing()
        self._fetch_timer = self.loop.call_later(FETCH_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on sending."""
        super().resume_writing()
        if self._fetch_timer:
            self._fetch_timer.cancel()
            self._fetch_timer = None

    def _unsupported_upgrade_warning(self) -> None:
        """Answer a request for another protocol as if it had not asked for one."""
        self.cycle.keep_alive = False

    def _count(self, size: int) -> None:
        self._counted += size
        if self._counted > self._limits.head_bytes:
            self._is_head_too_large = True
            raise HeadTooLargeError  # the parser stops, and `send_400_response` is called

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._end_silence)

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_silence(self) -> None:
        self._head_timer = None
        if self._is_in_head:
            seconds = f"{self._limits.head_seconds:g} seconds"
            self._refuse(408, f"the head did not come within {seconds}")
        else:
            self.transport.close()
            self._abort_later()

    def _refuse(self, status: int, reason: str) -> None:
        """Answer outside of any request, and close the connection."""
        if self.transport.is_closing():
            return
        body = orjson.dumps({"detail": reason})
        head = (
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
