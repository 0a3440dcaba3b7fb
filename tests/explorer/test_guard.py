from __future__ import annotations

import asyncio
import json

import pytest

from sagan.explorer import guard as module
from sagan.explorer.guard import Buckets, Guard
from sagan.explorer.tally import Tally

HOST, TOKEN, COOKIE = "127.0.0.1:8765", "right", "sagan-8765"


class App:
    """An application that remembers what it was given."""

    def __init__(self):
        self.bodies, self.cancelled, self.slow = [], False, False

    async def __call__(self, scope, receive, send):
        message = await receive()
        self.bodies.append(message["body"])
        try:
            if self.slow:
                await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"fine"})


@pytest.fixture
def app():
    return App()


def guarded(app, **words):
    return Guard(app, token=TOKEN, hosts=[HOST, "localhost:8765"], cookie=COOKIE, tally=Tally(), **words)


def ask(guard, method="GET", path="/api/v1/facts", *, parts=(b"",), query=b"", pause=0.0, **headers):
    """(status, headers, body) of one request. Headers are named with _ for -; None leaves one out."""
    named = {"host": HOST, "authorization": f"Bearer {TOKEN}", **headers}
    pairs = [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in named.items() if v is not None]
    sent, queue = [], list(parts)

    async def receive():
        if queue:
            await asyncio.sleep(pause)
            part = queue.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(queue)}
        await asyncio.sleep(0.05 if pause < 0 else 5)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query, "headers": pairs, "client": ("127.0.0.1", 5),
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    if not sent:
        return None, {}, b""
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(part.get("body", b"") for part in sent[1:])


def test_a_request_with_the_token_passes_and_is_answered_safely(app):
    status, headers, body = ask(guarded(app))
    assert (status, body) == (200, b"fine")
    assert headers[b"x-content-type-options"] == b"nosniff"
    policy = headers[b"content-security-policy"]
    assert b"default-src 'self'" in policy and b"frame-ancestors 'none'" in policy and b"unsafe" not in policy
    assert not any(name.startswith(b"access-control") for name in headers)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8765.evil.example", "evil.example:8765", "0.0.0.0:8765",
     "127.0.0.1:8765@evil", "localhost", "localhost:8766", "[::1]", "2130706433:8765", "127.1:8765", "LOCALHOST.:8765"],
)  # fmt: skip
def test_other_names_are_refused(app, host):
    assert ask(guarded(app), host=host)[0] == 421
    assert app.bodies == []


def test_a_request_without_a_name_is_refused_and_capitals_do_not_matter(app):
    assert ask(guarded(app), host=None)[0] == 421
    assert ask(guarded(app), host="LocalHost:8765")[0] == 200


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "https://127.0.0.1", "http://127.0.0.1:8766", "http://127.0.0.1:8765.evil.example",
     "file://", "http://localhost", "127.0.0.1:8765", "http://127.0.0.1:8765/", "http://evil@127.0.0.1:8765", ""],
)  # fmt: skip
def test_other_origins_are_refused(app, origin):
    assert ask(guarded(app), "POST", origin=origin)[0] == 403
    assert ask(guarded(app), "GET", origin=origin)[0] == 403
    assert app.bodies == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_of_other_pages_without_an_origin_are_refused(app, site):
    assert ask(guarded(app), sec_fetch_site=site)[0] == 403
    assert ask(guarded(app), sec_fetch_site="same-origin")[0] == 200


@pytest.mark.parametrize(
    "shown",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": "right"}, {"authorization": "Basic right"},
     {"authorization": "Bearer "}, {"cookie": "sagan-8765=wrong"}, {"cookie": "other=right"}, {"cookie": "sagan-8765"},
     {"authorization": "Bearer rightt"}, {"authorization": "Bearer r\xefght"}],
)  # fmt: skip
def test_without_the_token_nothing_is_answered(app, shown):
    status, headers, body = ask(guarded(app), **{"authorization": None, **shown})
    assert status == 401 and headers[b"www-authenticate"] == b"Bearer"
    assert "token is missing" in json.loads(body)["detail"]
    assert app.bodies == []


def test_the_address_with_the_token_gives_the_cookie(app):
    status, headers, _ = ask(guarded(app), path="/", query=b"token=right", authorization=None)
    assert (status, headers[b"refresh"]) == (200, b"0; url=/")
    assert headers[b"set-cookie"] == b"sagan-8765=right; Path=/; HttpOnly; SameSite=Strict"
    assert ask(guarded(app), path="/", query=b"token=wrong", authorization=None)[0] == 401
    assert ask(guarded(app), path="/api/v1/facts", query=b"token=right", authorization=None)[0] == 401
    assert ask(guarded(app), "POST", "/", query=b"token=right", authorization=None)[0] == 401
    assert ask(guarded(app), path="/", cookie="a=b; sagan-8765=right", authorization=None)[0] == 200


@pytest.mark.parametrize("query", [b"&".join([b"a=1"] * 9), b"a" * 5000, b"token=" + b"%ff" * 20])
def test_a_strange_address_without_the_token_is_only_refused(app, query):
    assert ask(guarded(app), path="/", query=query, authorization=None)[0] == 401
    assert app.bodies == []


def test_a_write_by_cookie_must_come_from_our_page(app):
    cookie = {"authorization": None, "cookie": "sagan-8765=right"}
    assert ask(guarded(app), "POST", **cookie)[0] == 403
    assert ask(guarded(app), "POST", **cookie, origin="http://127.0.0.1:8765")[0] == 200


def test_health_needs_no_token_but_the_right_name(app):
    assert ask(guarded(app), path="/healthz", authorization=None)[0] == 200
    assert ask(guarded(app), path="/healthz", authorization=None, host="evil.example")[0] == 421


@pytest.mark.parametrize(
    ("headers", "parts", "status"),
    [
        ({"content_length": str((8 << 20) + 1)}, [b""], 413),
        ({"content_length": "9" * 40}, [b""], 413),
        ({"content_length": "-1"}, [b""], 413),
        ({"content_length": "1e3"}, [b""], 413),
        ({}, [b"x" * (1 << 20)] * 9, 413),  # without a length
        ({"content_length": "5"}, [b"x" * (9 << 20)], 413),
        ({"content_encoding": "gzip"}, [b"x"], 415),
        ({"content_type": "multipart/form-data; boundary=x"}, [b"x"], 415),
        ({"content_type": "text/plain"}, [b"{}"], 415),
        ({"content_type": "application/x-www-form-urlencoded"}, [b"a=b"], 415),
    ],
)
def test_bodies_that_are_too_large_or_of_another_kind_are_refused(app, headers, parts, status):
    assert ask(guarded(app), "POST", parts=parts, **headers)[0] == status
    assert app.bodies == []


def test_a_body_of_many_parts_arrives_whole(app):
    assert ask(guarded(app), "POST", parts=[b"ab", b"", b"cd"])[0] == 200
    assert app.bodies == [b"abcd"]


def test_a_body_that_takes_too_long_is_refused(app, monkeypatch):
    monkeypatch.setattr(module, "BODY_SECONDS", 0.1)
    assert ask(guarded(app), "POST", parts=[b"a"] * 20, pause=0.05)[0] == 408
    assert app.bodies == []


def test_work_ends_when_whoever_asked_leaves(app):
    app.slow = True
    guard = guarded(app, routes=["/api/v1/facts"])
    assert ask(guard, pause=-1)[0] is None
    assert app.cancelled
    text = guard._tally.text(0)
    assert 'route="/api/v1/facts",status="499"} 1' in text and 'status="500"' not in text, (
        "it is no fault of the server"
    )


def test_a_header_that_stands_twice_is_refused(app):
    sent = []

    async def send(message):
        sent.append(message)

    pairs = [(b"host", HOST.encode()), (b"host", b"evil.example"), (b"authorization", b"Bearer right")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": pairs, "client": None}
    asyncio.run(guarded(app)(scope, None, send))
    assert sent[0]["status"] == 400


def test_web_sockets_are_closed(app):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(guarded(app)({"type": "websocket", "path": "/"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_client_that_asks_too_often_waits_and_others_do_not(app):
    guard = guarded(app, buckets=Buckets(rate=0.001, burst=2))
    codes = [ask(guard, "POST")[0] for _ in range(3)]
    assert codes == [200, 200, 429]
    assert ask(guard, "POST")[1][b"retry-after"] == b"1"
    assert ask(guard, "GET")[0] == 200, "reading is free"


def test_buckets_fill_again_and_forget_old_clients(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    buckets = Buckets(rate=2.0, burst=1.0)
    assert [buckets.take("a"), buckets.take("a"), buckets.take("b")] == [True, False, True]
    now[0] = 0.5
    assert [buckets.take("a"), buckets.take("a")] == [True, False]
    for number in range(module.MOST_CLIENTS + 5):
        buckets.take(str(number))
    assert len(buckets._clients) == module.MOST_CLIENTS


def test_in_a_crowd_nothing_is_read(app):
    guard = guarded(app)
    guard.crowded = lambda: True
    status, headers, _ = ask(guard, "POST", parts=[b"a"] * 20, pause=1)
    assert (status, headers[b"retry-after"], headers[b"connection"]) == (503, b"1", b"close")
    assert app.bodies == []


def test_what_was_asked_is_counted_under_few_names(app):
    guard = guarded(app, routes=["/api/v1/facts"])
    ask(guard)
    ask(guard, path="/\n# evil")
    ask(guard, authorization=None)
    text = guard._tally.text(3)
    assert 'sagan_requests_total{route="/api/v1/facts",status="200"} 1' in text
    assert 'sagan_requests_total{route="/api/v1/facts",status="401"} 1' in text
    assert 'route="other"' in text and "evil" not in text and "sagan_queue 3\n" in text
