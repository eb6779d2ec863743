"""Who may ask: the names of the server, the pages that may post to it, and its token."""

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlencode

from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from digits.base.errors import UserError
from digits.serving.limits import network

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]\s/@]+)(:\d*)?")
COOKIE = "digits-token"
COOKIE_DAYS = 30
OPEN_PATHS = ("/health", "/ping", "/static/")  # they tell nothing, and need no token

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none looks like another one on a slate
TOKEN_LENGTH = 8  # letters of a token, about 40 bits
LEAST_TOKEN = 6  # letters of a token that a user chose
TRIES_PER_ADDRESS, TRIES_IN_ALL = 10, 1000  # wrong tokens in TRIES_SECONDS
TRIES_SECONDS = 60.0

LOGIN = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>digits: token</title>
<h1>digits</h1>
<form>
<p><label>The token that <code>digits serve</code> printed at its start:
<input name="token" autocapitalize="none" autocomplete="off" spellcheck="false" autofocus></label>
<button>Go on</button>
<p>{problem}
</form>
</html>
"""


def make_token() -> str:
    """Make a token that is short enough to be typed on a slate."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(TOKEN_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def require_usable(token: str) -> None:
    """Check a token that a user chose.

    Raises:
        UserError: it is too short, or has letters that no HTTP header can have.
    """
    if not token.isascii() or not token.isprintable():
        raise UserError("--token: letters, digits and signs of ASCII alone, as HTTP's headers")
    if len(_normal(token)) < LEAST_TOKEN:
        raise UserError(f"--token: at least {LEAST_TOKEN} letters without hyphens and blanks")


def query(token: str) -> str:
    """Return the query of a URL that shows a token."""
    return urlencode({"token": token})


class Tries:
    """Counts the wrong tokens of the present minute that differ, by address and in all.

    A page that was left open asks again and again with the token of a former start: that is no
    guess.
    """

    def __init__(self) -> None:
        self._wrong: defaultdict[str, set[bytes]] = defaultdict(set)  # digests of the tokens
        self._minute = -1

    def are_used_up(self, address: str) -> bool:
        """Whether an address, or all together, have guessed too often to guess again."""
        minute = int(time.monotonic() / TRIES_SECONDS)
        if minute != self._minute:
            self._wrong.clear()
            self._minute = minute
        by_address = len(self._wrong[network(address)]) >= TRIES_PER_ADDRESS
        return by_address or sum(map(len, self._wrong.values())) >= TRIES_IN_ALL

    def count(self, address: str, token: str) -> None:
        """Count a wrong token."""
        self._wrong[network(address)].add(hashlib.sha256(_normal(token)).digest())


@dataclass(frozen=True)
class Access:
    """What a request must show before it is looked at.

    Attributes:
        hosts: names that the server answers to beside those of loopback; "*" is any.
        addresses: whether it answers to any IP address. It may where it listens to the
            network: a page that rebinds its name to this machine has a name, no address.
        token: asked for unless it is None.
        is_secure: whether it is reached by https, so that the cookie is sent by https alone.
    """

    hosts: frozenset[str] = frozenset()
    addresses: bool = False
    token: str | None = None
    is_secure: bool = False
    tries: Tries = field(default_factory=Tries)

    def check(self, scope: Scope) -> Response | None:
        """Answer a request that may not pass; None for one that may.

        Raises:
            HTTPException: it is refused with a reason.
        """
        headers = Headers(scope=scope)
        given = headers.getlist("host")
        found = HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
        if not found:
            raise HTTPException(400, "a request has one Host header, with a name or an address")
        if not self._is_own(found["name"]):
            name = found["name"]
            raise HTTPException(
                400, f"{name} is no name of this server; start it with --allowed-host {name}"
            )
        if scope["method"] == "POST":
            self._check_origin(headers, given[0].lower())
        if self.token is None or scope["path"].startswith(OPEN_PATHS):
            return None
        return self._check_token(scope, headers, self.token)

    def _is_own(self, name: str) -> bool:
        if name in LOOPBACK or name in self.hosts or "*" in self.hosts:
            return True
        if not self.addresses:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _check_origin(self, headers: Headers, host: str) -> None:
        """Refuse what a page of another site sends."""
        origin = headers.get("origin")
        if origin is not None:
            source = origin.lower().partition("://")[2]
            name = HOST.fullmatch(source)
            if source != host and not (name and name["name"] in self.hosts):
                raise HTTPException(403, "a page of another site may not ask this server")
        elif headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise HTTPException(403, "a page of another site may not ask this server")

    def _check_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        """Let those pass who know the token; a browser keeps it as a cookie."""
        address = scope["client"][0] if scope.get("client") else ""
        in_url = QueryParams(scope["query_string"]).get("token")
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        given = in_url or (bearer.strip() if scheme.lower() == "bearer" else None) or cookie
        if given is not None and self.tries.are_used_up(address):
            wait = {"Retry-After": f"{TRIES_SECONDS:g}"}
            raise HTTPException(429, "too many wrong tokens; wait a minute", wait)
        if given is not None and hmac.compare_digest(_normal(given), _normal(token)):
            return self._remember(scope, token) if in_url and scope["method"] == "GET" else None
        if given is not None:
            self.tries.count(address, given)
        problem = "the token is wrong" if given is not None else "a token is asked for"
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(LOGIN.format(problem=problem if given else ""), 401)
        hint = "; send it as `Authorization: Bearer TOKEN` or open the URL printed at the start"
        raise HTTPException(401, problem + hint, {"WWW-Authenticate": "Bearer"})

    def _remember(self, scope: Scope, token: str) -> Response:
        """Keep the token as a cookie, and take it out of the address bar."""
        parameters = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        parameters.pop("token", None)
        query = urlencode(parameters, doseq=True)
        # Two slashes at the start would name another host.
        path = "/" + quote(scope["path"].lstrip("/\\"))
        answer = RedirectResponse(f"{path}?{query}" if query else path, 303)
        answer.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            samesite="lax",
            secure=self.is_secure,
        )
        return answer


def _normal(token: str) -> bytes:
    """Drop from a token what a slate's keyboard adds: hyphens, blanks and capitals."""
    return re.sub(r"[\s-]", "", token).lower().encode()
