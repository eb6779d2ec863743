"""Who may ask the server, and by which address it is found."""

import re
import socket

import httpx
import pytest

from digits.base.errors import UserError
from digits.serving import access, addresses
from digits.serving.access import Access
from digits.serving.running import Entrance
from tests.digits.serving.conftest import Serve

RAW = {"Content-Type": "application/octet-stream"}
TOKEN = "abcd-efgh"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def post(client: httpx.Client, **headers: str) -> int:
    return client.post("/predict", content=bytes(784), headers=RAW | headers).status_code


@pytest.fixture
def guarded(serve: Serve) -> httpx.Client:
    return serve(access=Access(token=TOKEN))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000"])
def test_the_names_of_loopback_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/version", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "a@b", ""])
def test_other_names_are_not(client: httpx.Client, host: str) -> None:
    assert client.get("/version", headers={"Host": host}).status_code == 400


def test_names_that_were_allowed_are_answered(serve: Serve) -> None:
    client = serve(access=Access(frozenset({"slate.test"}), addresses=True))
    for host, status in (("slate.test:8000", 200), ("10.0.0.1", 200), ("evil.example", 400)):
        assert client.get("/version", headers={"Host": host}).status_code == status
    origin = "https://slate.test"
    assert post(client, Host="10.0.0.1", Origin=origin) == 200


def test_no_other_page_may_post(client: httpx.Client) -> None:
    own = str(client.base_url).rstrip("/")
    assert post(client, Origin=own) == 200
    assert post(client, **{"Sec-Fetch-Site": "same-origin"}) == 200
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", f"{own}.evil.example"):
        assert post(client, Origin=origin) == 403
    for site in ("cross-site", "same-site"):
        assert post(client, **{"Sec-Fetch-Site": site}) == 403


@pytest.mark.parametrize(
    ("path", "body"), [("/read?width=2&height=1", b"ab"), ("/strokes", b"\1\0\1\0\1\0\1\0")]
)
def test_drawings_are_taken_as_bytes_alone(client: httpx.Client, path: str, body: bytes) -> None:
    for kind, status in (("text/plain", 415), ("", 415), (RAW["Content-Type"], 200)):
        headers = {"Content-Type": kind}
        answer = client.post(path, content=body, headers=headers)
        assert answer.status_code == status


def test_the_token_opens_the_server(guarded: httpx.Client) -> None:
    assert guarded.get("/health").status_code == 200
    answer = guarded.get("/version")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert post(guarded) == 401
    assert post(guarded, **BEARER) == 200
    assert post(guarded, Authorization="Bearer ABCDEFGH") == 200  # as a slate's keyboard types


def test_a_browser_keeps_the_token(guarded: httpx.Client) -> None:
    asked = guarded.get("/", headers={"Accept": "text/html"})
    assert asked.status_code == 401
    assert '<input name="token"' in asked.text
    answer = guarded.get("/version", params={"a": "b c", "token": "abcdefgh"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/version?a=b+c")
    assert re.search("HttpOnly; .*SameSite=lax", answer.headers["set-cookie"])
    assert guarded.get("/version").status_code == 200
    assert post(guarded) == 200


def test_no_path_leads_to_another_host(guarded: httpx.Client) -> None:
    url = guarded.base_url.copy_with(raw_path=f"//evil.example/?token={TOKEN}".encode())
    assert guarded.send(httpx.Request("GET", url)).headers["location"] == "/evil.example/"


def test_tokens_cannot_be_guessed(guarded: httpx.Client) -> None:
    for number in range(access.TRIES_PER_ADDRESS):
        assert post(guarded, Authorization=f"Bearer wrong{number}") == 401
    answer = guarded.get("/version", headers=BEARER)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_a_page_left_open_with_an_old_token_locks_nobody_out(guarded: httpx.Client) -> None:
    for _ in range(2 * access.TRIES_PER_ADDRESS):
        assert post(guarded, Cookie=f"{access.COOKIE}=of-a-former-start") == 401
    assert post(guarded, **BEARER) == 200


def test_a_token_is_short_and_of_clear_letters() -> None:
    tokens = {access.make_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch("[a-hj-km-np-z2-9]{4}-[a-hj-km-np-z2-9]{4}", each) for each in tokens)


def entered(**options: object) -> tuple[Access, str]:
    entrance = Entrance(port=0, **options)
    with addresses.listen(entrance.host, 0) as listener:
        return entrance.access(listener), addresses.url(listener)


def test_beyond_loopback_there_is_a_token() -> None:
    everywhere = "0.0.0.0"  # noqa: S104
    assert entered()[0].token is None
    assert entered(token="chosen")[0].token == "chosen"  # noqa: S105, S106
    made = entered(host=everywhere)[0]
    assert made.token
    assert made.addresses
    assert socket.gethostname().lower() in made.hosts
    assert entered(host=everywhere, is_open=True)[0].token is None
    for token, reason in [("short", "at least 6"), ("-" * 9, "at least 6"), ("пароль", "ASCII")]:
        with pytest.raises(UserError, match=reason):
            entered(token=token)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
def test_what_cannot_be_a_name_of_a_host_is_told(host: str) -> None:
    with pytest.raises(UserError, match=f"{host}: not a name of a host; name another with --host"):
        addresses.listen(host, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])  # noqa: S104
def test_the_address_that_is_printed_works(host: str) -> None:
    with addresses.listen(host, 0) as listener:
        url = httpx.URL(addresses.url(listener))
        assert "0.0.0.0" not in url.host  # noqa: S104
        socket.create_connection((url.host, url.port), timeout=5).close()
