"""What strangers may send, through the real server: foreign names and origins, bodies that are too much, clients that dawdle.

The paths that lead nowhere are in test_server.py. Nothing here may be answered with 200 or 5xx, and while all of it comes, the
server opens no connection of its own.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
import zlib

import pytest

TOKEN = "a-token-for-tests"
POSTS = ("generate", "grid", "scene", "attention", "figure")
FOREIGN_NAMES = [
    "evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:{port}", "127.1:{port}", "0.0.0.0:{port}",
    "0:{port}", "2130706433:{port}", "0x7f000001:{port}", "0177.0.0.1:{port}", "[::1]:{port}", "[::ffff:127.0.0.1]:{port}",
    "localhost", "localhost.:{port}", "localhost:{port}.evil.example", "127.0.0.1:{port}.evil.example",
    "127.0.0.1:{port}@evil.example", "evil.example@127.0.0.1:{port}", "127.0.0.1.nip.io:{port}", "localtest.me:{port}",
    "sub.localhost:{port}", "127.0.0.1:{port},evil.example", "127.0.0.1 :{port}", "127.0.0.1:0{port}",
]  # fmt: skip
FOREIGN_ORIGINS = [
    "null", "", "*", "file://", "http://evil.example", "https://evil.example", "https://127.0.0.1:1", "http://127.0.0.1",
    "http://127.0.0.1:1", "http://localhost", "http://127.0.0.1:{port}/", "http://127.0.0.1:{port}.evil.example",
    "http://evil.example:{port}", "http://evil@127.0.0.1:{port}", "http://[::1]:{port}", "http://127.1:{port}",
    "http://2130706433:{port}", "chrome-extension://abcdefgh", "127.0.0.1:{port}", "//127.0.0.1:{port}",
    "http://127.0.0.1:{port} http://evil.example", "http://127.0.0.1.nip.io:{port}", "ws://127.0.0.1:{port}",
    "http://0.0.0.0:{port}", "data:text/html,x", "http://localhost.:{port}",
]  # fmt: skip


@pytest.fixture
def inward(monkeypatch):
    """Addresses outside this machine that anything in this process connects to."""
    outward, real = [], socket.socket.connect

    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            outward.append(address)
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return outward


def send(served, method, path, *, body=b"", **headers):
    """(status, content). Header names with _ for -; None leaves one out."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    words = {"host": served.host, "authorization": f"Bearer {TOKEN}", "content-length": str(len(body))}
    words |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in words.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        try:
            connection.send(body)
        except OSError:  # it was refused before it had arrived
            pass
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_foreign_names_and_origins(served, inward):
    count = 0
    for name in FOREIGN_NAMES:
        for method, path in (("GET", "/"), ("POST", "/api/v1/grid")):
            status, content = send(served, method, path, host=name.format(port=served.port))
            assert status in (400, 421) and b"<title>" not in content, name
            count += 1
    for origin in FOREIGN_ORIGINS:
        for method, path in (("GET", "/api/v1/facts"), ("POST", "/api/v1/grid")):
            status, content = send(served, method, path, origin=origin.format(port=served.port))
            assert status == 403 and b"resolution" not in content, origin
            count += 1
    assert count >= 50 and inward == []


def png(width, height, kind=2, rows=b"", chunks=()):
    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, kind, 0, 0, 0])
    parts = [
        chunk(b"IHDR", header),
        *itertools.starmap(chunk, chunks),
        chunk(b"IDAT", rows or zlib.compress(bytes(1 << 20), 9)),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def too_much():
    """(path, body, headers) of everything that is larger than it may be, or becomes so."""
    picture = {"content_type": "image/png"}
    sides = [
        (2**31 - 1, 2**31 - 1),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (65_535, 65_535),
        (30_000, 30_000),
        (10_000, 10_000),
    ]
    for width, height in sides:
        for kind in (0, 2, 6):
            yield "/api/v1/pictures", png(width, height, kind), picture
    text = zlib.compress(bytes(50 << 20), 9)
    yield (
        "/api/v1/pictures",
        png(20_000, 20_000, chunks=[(b"zTXt", b"a\0\0" + text), (b"iCCP", b"b\0\0" + text)]),
        picture,
    )
    gif = b"GIF89a" + (60_000).to_bytes(2, "little") * 2 + b"\0\0\0," + bytes(4) + (60_000).to_bytes(2, "little") * 2
    yield "/api/v1/pictures", gif + b"\0\x02\x02L\x01\0;", {"content_type": "image/gif"}
    webp = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (16_383).to_bytes(3, "little") * 2
    yield "/api/v1/pictures", webp, {"content_type": "image/webp"}
    yield "/api/v1/pictures", b"x" * (9 << 20), picture
    for length in ("99999999999", "9" * 300, "-1", "0x10", "1e9", "8388609"):
        yield "/api/v1/pictures", b"", {**picture, "content_length": length}
    nested, digits = b"[" * 100_000, b"9" * 5000
    for path in POSTS:
        yield f"/api/v1/{path}", nested, {"content_type": "application/json"}
        yield (
            f"/api/v1/{path}",
            b'{"seed": ' + digits + b', "seeds": [' + digits + b"]}",
            {"content_type": "application/json"},
        )
        yield f"/api/v1/{path}", json.dumps({"x": "y" * (9 << 20)}).encode(), {"content_type": "application/json"}
    yield (
        "/api/v1/generate",
        json.dumps({"seeds": list(range(1_000_000))}).encode(),
        {"content_type": "application/json"},
    )
    yield "/api/v1/attention", json.dumps({"points": [[0, 0]] * 500_000}).encode(), {"content_type": "application/json"}


def test_bodies_that_are_too_much(served, inward):
    cases = list(too_much())
    assert len(cases) >= 40
    for number, (path, body, headers) in enumerate(cases):
        status, content = send(served, "POST", path, body=body, **headers)
        assert 400 <= status < 500 and status != 429, (number, path, status, content[:200])
        assert len(content) < 2000
        time.sleep(0.02)  # or the limit on how often one client may write would answer
    assert send(served, "GET", "/healthz")[0] == 200 and inward == []


def test_clients_that_dawdle(serve, trained, monkeypatch, inward):
    """Ten each that never end their head, their body, or never read what they asked for."""
    monkeypatch.setattr("sagan.explorer.server.HEADER_SECONDS", 1.0)
    monkeypatch.setattr("sagan.explorer.guard.BODY_SECONDS", 1.0)
    with serve(trained) as served:
        head = f"Host: {served.host}\r\nAuthorization: Bearer {TOKEN}\r\n"
        post = f"POST /api/v1/grid HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        beginnings = [b"GET /api/v1/facts HTTP/1.1\r\nHost: ", post.encode() + b'{"seeds"']
        clients = []
        for beginning in beginnings * 10:
            client = socket.create_connection(("127.0.0.1", served.port), 20)
            client.sendall(beginning)
            clients.append(client)
        deaf = []
        for _ in range(10):
            client = socket.create_connection(("127.0.0.1", served.port), 20)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.sendall(f"GET /static/main.js HTTP/1.1\r\n{head}\r\n".encode() * 5)
            deaf.append(client)
        answered = []
        others = threading.Thread(target=lambda: answered.extend(send(served, "GET", "/healthz") for _ in range(5)))
        others.start()
        others.join(10)
        assert [status for status, _ in answered] == [200] * 5
        for client in clients:
            assert client.recv(12).startswith(b"HTTP/1.1 408")
        for client in [*clients, *deaf]:
            client.close()
        assert send(served, "GET", "/healthz")[0] == 200 and inward == []
