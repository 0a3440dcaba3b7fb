"""Who may ask, and how much: every request passes here before the application sees it.

A page of another site must not use this server through its visitor's browser, nor by giving its own name this machine's
address: so the names under which we answer are a list (Host), a request that changes or computes something must come from
our own page (Origin), and everything but /healthz needs the token. Bodies are read here, under a limit and a clock.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from sagan.explorer.tally import Tally

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 8 << 20
BODY_SECONDS = 10.0
RATE, BURST = 400.0, 800.0  # requests of one client to what computes: a second, and at once
MOST_CLIENTS = 1024
FREE = "/healthz"
LEFT = 499  # in the counts, of a request whose client went before it was answered; the number is nginx's
KINDS = ("application/json", "image/", "application/octet-stream")

HEADERS = [
    (b"content-security-policy",
     b"default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; object-src 'none'; "
     b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
]  # fmt: skip


class Refusal(Exception):
    """An answer instead of the application's."""

    def __init__(self, status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, list(headers)


class Buckets:
    """A bucket of tokens for each client: RATE flow in a second, BURST fit in."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Whether this client may ask once more now."""
        now = time.monotonic()
        level, since = self._clients.pop(client, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        self._clients[client] = (max(0.0, level - 1), now)
        while len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        return level >= 1


class Guard:
    """An ASGI application around another.

    token: what everybody must show.  hosts: `name:port` under which we answer.  cookie: the name of the cookie.
    routes: the paths that are counted by name.
    crowded, set by whoever knows: whether more connections are open than may be. A request then gets 503.
    """

    def __init__(
        self,
        app: App,
        *,
        token: str,
        hosts: Iterable[str],
        cookie: str,
        tally: Tally,
        routes: Iterable[str] = (),
        buckets: Buckets | None = None,
    ) -> None:
        self._app, self._token, self._cookie, self._tally = app, token, cookie, tally
        self._hosts = frozenset(host.lower() for host in hosts)
        self._routes = frozenset(routes)
        self._buckets = buckets or Buckets()
        self.crowded: Callable[[], bool] = lambda: False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # there are no web sockets here
            return await send({"type": "websocket.close", "code": 1008})
        start, status = time.perf_counter(), LEFT

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message["headers"]}
                more = [pair for pair in HEADERS if pair[0] not in own]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        try:
            try:
                headers = self._admit(scope)
                body = await _read(receive, headers)
            except Refusal as refusal:
                await _refuse(refusal, answer)
            else:
                await _with_listener(self._app, scope, body, receive, answer)
        except Exception:
            status = 500
            raise
        finally:
            path = scope["path"]
            route = path if path in self._routes else "other"
            self._tally.answered(route, status, time.perf_counter() - start)

    def _admit(self, scope: Scope) -> dict[bytes, bytes]:
        """The headers of a request that may go on. Raises Refusal."""
        if self.crowded():
            more = [(b"retry-after", b"1"), (b"connection", b"close")]
            raise Refusal(503, "too many connections are open", more)
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in (b"host", b"origin", b"authorization", b"content-length", b"content-type"):
                raise Refusal(400, f"the header {name.decode('latin-1')} stands there twice")
            headers[name] = headers[name] + b"; " + value if name in headers else value
        if headers.get(b"host", b"").decode("latin-1").lower() not in self._hosts:
            raise Refusal(421, "this server does not answer to that name")
        origin = headers.get(b"origin")
        if origin is not None and not self._is_ours(origin):
            raise Refusal(403, "requests from other pages are not answered")
        opens = (
            scope["method"] == "GET" and scope["path"] == "/"
        )  # following a link to the page; without the token in vain
        if headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none") and not opens:
            raise Refusal(403, "requests from other pages are not answered")
        if scope["path"] == FREE:
            return headers
        by_cookie = self._show_token(scope, headers)
        writes = scope["method"] not in ("GET", "HEAD")
        if writes and by_cookie and origin is None:
            raise Refusal(403, "a request with the page's cookie must say where it comes from")
        if writes:
            kind = headers.get(b"content-type", b"").decode("latin-1").lower()
            if kind and not kind.startswith(KINDS):
                raise Refusal(415, "send JSON, or one picture")
            client = (scope.get("client") or ("", 0))[0]
            if not self._buckets.take(client):
                raise Refusal(429, "too many requests", [(b"retry-after", b"1")])
        return headers

    def _is_ours(self, origin: bytes) -> bool:
        scheme, _, host = origin.decode("latin-1").lower().partition("://")
        return scheme in ("http", "https") and host in self._hosts

    def _show_token(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Whether it came in the cookie. Raises Refusal: without a token, or to trade one in the address for the cookie."""
        if scope["path"] == "/" and scope["method"] == "GET":
            for value in _query(scope).get("token", []):
                if self._fits(value):
                    cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
                    # Not a redirect: a browser that came by a link from elsewhere keeps strict cookies back all along it.
                    raise Refusal(
                        200, "opening", [(b"refresh", b"0; url=/"), (b"set-cookie", cookie.encode("latin-1"))]
                    )
        bearer = headers.get(b"authorization", b"").decode("latin-1")
        if bearer.lower().startswith("bearer ") and self._fits(bearer[7:].strip()):
            return False
        for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie and self._fits(value):
                return True
        raise Refusal(
            401,
            "the token is missing: open the address that `sagan explore` printed, or send Authorization: Bearer TOKEN",
            [(b"www-authenticate", b"Bearer")],
        )

    def _fits(self, token: str) -> bool:
        return secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode())


def _query(scope: Scope) -> dict[str, list[str]]:
    """The fields behind the ?, as far as a token may reach; none where there are too many."""
    query = scope.get("query_string", b"")[:1024].decode("latin-1")
    try:
        return parse_qs(query, max_num_fields=8)
    except ValueError:
        return {}


async def _read(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    """The whole body. Raises Refusal."""
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Refusal(415, "compressed requests are not read")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:18]) > MOST_BYTES:
        raise Refusal(413, f"the body is larger than {MOST_BYTES >> 20} MiB", [(b"connection", b"close")])
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(408, "the connection was closed")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MOST_BYTES:
                    raise Refusal(413, f"the body is larger than {MOST_BYTES >> 20} MiB", [(b"connection", b"close")])
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise Refusal(408, "the body took too long to arrive", [(b"connection", b"close")]) from None


async def _with_listener(app: App, scope: Scope, body: bytes, receive: Receive, answer: Send) -> None:
    """Run the application on a body that is already here; end it when whoever asked leaves."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.Event().wait()  # the listener below is the one who hears of the end
        raise AssertionError("unreachable")

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    work = asyncio.ensure_future(app(scope, replay, answer))
    listener = asyncio.ensure_future(listen())
    try:
        await asyncio.wait({work, listener}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        if not work.cancelled():
            work.result()
    finally:
        listener.cancel()
        work.cancel()


async def _refuse(refusal: Refusal, answer: Send) -> None:
    body = json.dumps({"detail": refusal.text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *refusal.headers]
    await answer({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await answer({"type": "http.response.body", "body": body})
