"""What the server bears of connections, over real sockets."""

import contextlib
import logging
import socket
import time

import httpx
import pytest

from digits.serving.limits import Gate, Limits
from digits.serving.logs import Bounded
from tests.digits.serving.conftest import Serve


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=20)


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


def ask(client: httpx.Client, request: bytes) -> bytes:
    with connect(client) as connection:
        connection.sendall(request)
        return answer(connection)


def test_a_head_is_at_most_so_large(serve: Serve) -> None:
    client = serve(limits=Limits(head_bytes=5000))
    assert client.get("/health", headers={"x": "y" * 4000}).status_code == 200
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 6000 + b"\r\n\r\n"
    many = b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"x: yyyyyy\r\n" * 800 + b"\r\n"
    for request in (one, many):
        assert ask(client, request).startswith(b"HTTP/1.1 431 ")


def test_a_body_behind_the_rest_of_a_head_is_no_part_of_it(serve: Serve) -> None:
    client = serve(limits=Limits(head_bytes=5000))
    with connect(client) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\n")
        time.sleep(0.1)
        head = b"Content-Type: application/octet-stream\r\nContent-Length: 7840\r\n\r\n"
        connection.sendall(head + bytes(7840))
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_header_without_an_end_is_not_taken_in(serve: Serve) -> None:
    client = serve()
    sent = 0
    with connect(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nx: ")
        with contextlib.suppress(ConnectionError):
            while sent < 60_000_000:
                sent += connection.send(b"y" * 65536)
    assert sent < 60_000_000
    assert client.get("/health", timeout=2).status_code == 200


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_silent_connection_is_closed(serve: Serve, begun: bytes) -> None:
    client = serve(limits=Limits(head_seconds=0.3))
    with connect(client) as connection:
        connection.sendall(begun)
        start = time.monotonic()
        received = answer(connection)
    assert time.monotonic() - start < 10
    assert received.startswith(b"HTTP/1.1 408 ") if begun else received == b""


def test_a_head_that_trickles_in_is_not_waited_for(serve: Serve) -> None:
    client = serve(limits=Limits(head_seconds=0.5))
    with connect(client) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - start < 15:
                connection.sendall(b"G"[: not (time.monotonic() - start > 0.1)] or b"E")
                time.sleep(0.1)
    assert time.monotonic() - start < 10


def test_so_many_connections_are_open_at_a_time(serve: Serve) -> None:
    client = serve(limits=Limits(connections=5))
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(client))
        time.sleep(0.2)
        assert b"too many connections" in ask(client, b"")
    time.sleep(0.2)
    assert client.get("/health").status_code == 200


def test_so_many_connections_come_from_one_address() -> None:
    gate = Gate(Limits(connections=5, per_address=2))
    assert [gate.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [gate.enter(f"2001:db8::{end}") for end in "123"] == [True, True, False]
    gate.leave("192.0.2.1")
    assert gate.enter("::ffff:192.0.2.1")
    assert gate.enter("127.0.0.1")
    assert not gate.enter("127.0.0.1")  # five in all
    gate.leave("127.0.0.1")
    assert gate.enter("127.0.0.1")


def test_slow_bodies_take_no_slots(serve: Serve) -> None:
    client = serve(limits=Limits(waiting=2))
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(70):
            connection = stack.enter_context(connect(client))
            connection.sendall(head + b"Content-Length: 1000\r\n\r\nx")
        raw = {"Content-Type": "application/octet-stream"}
        for _ in range(5):
            assert client.post("/predict", content=bytes(784), headers=raw).status_code == 200
        assert client.get("/health").json()["ready"]


@pytest.mark.parametrize(
    "request_",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"\x16\x03\x01\x02\x00"],
)
def test_what_is_no_request_is_refused(client: httpx.Client, request_: bytes) -> None:
    assert ask(client, request_).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["a b"], ["evil.example"]])
def test_a_host_that_is_missing_doubled_or_not_ours(client: httpx.Client, hosts: list[str]) -> None:
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    request = f"GET /version HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
    assert ask(client, request.encode()).startswith(b"HTTP/1.1 400 ")


def test_an_upgrade_is_answered_without_advice(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert client.get("/health", headers=headers).status_code == 200
    assert caplog.messages == []


def test_the_body_of_a_request_that_offers_http_2_is_read(client: httpx.Client) -> None:
    headers = {"Connection": "Upgrade, HTTP2-Settings", "UPGRADE": "h2c", "HTTP2-Settings": "AAMA"}
    headers |= {"Content-Type": "application/octet-stream"}
    image = bytes(range(256)) * 3 + b"\r\nupgrade:\r\n\r\n\r\n"  # which is no header
    assert len(image) == 784
    answers = [client.post("/predict", content=image, headers=h) for h in (headers, headers)]
    plain = {"Content-Type": headers["Content-Type"]}
    answers.append(client.post("/predict", content=image, headers=plain))
    assert [each.status_code for each in answers] == [200, 200, 200]
    assert len({each.content for each in answers}) == 1


def test_nor_is_it_lost_where_the_offer_begins_another_packet(client: httpx.Client) -> None:
    with connect(client) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n")
        time.sleep(0.1)
        head = b"Upgrade: h2c\r\nContent-Type: application/octet-stream\r\nContent-Length: 784\r\n"
        connection.sendall(head + b"\r\n" + bytes(784))
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_the_log_is_bounded(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=xx"}
    for _ in range(40):
        ask(client, b"nonsense\r\n\r\n")
        assert client.post("/predict", content=b"abc", headers=form).status_code == 400
    assert len(caplog.messages) <= 20
    bounded = Bounded(lines=1, period=0.1)
    records = [logging.LogRecord("", 30, "", 0, "%s", (n,), None) for n in range(4)]
    assert [bounded.filter(record) for record in records[:3]] == [True, False, False]
    time.sleep(0.1)
    assert bounded.filter(records[3])
    assert records[3].getMessage() == "3 (2 lines before it were left out)"


def test_head_is_answered_without_a_body(client: httpx.Client) -> None:
    for path in ("/", "/health", "/version", "/docs", "/static/page.js"):
        answered, whole = client.head(path), client.get(path)
        assert (answered.status_code, answered.content) == (200, b"")
        assert answered.headers["content-length"] == whole.headers["content-length"]
