"""Shards behind an address: through fsspec, in memory and from a server of the test that drops connections."""

from __future__ import annotations

import http.server
import re
import threading

import numpy as np
import pytest

from sagan.data.config import DataConfig
from sagan.data.stream import listing as listing_module
from sagan.data.stream.batches import StreamBatches
from sagan.data.stream.listing import list_stream
from sagan.data.stream.opening import open_stream
from sagan.errors import PeerError

fsspec = pytest.importorskip("fsspec")


def test_an_address_is_read_through_fsspec(shards):
    memory = fsspec.filesystem("memory")
    for path in sorted(shards["parquet"].iterdir()):
        memory.pipe_file(f"/streamed/{path.name}", path.read_bytes())
    for place in ("memory://streamed", "memory://streamed/*.parquet", "memory://streamed/train-{000..003}.parquet"):
        listing = list_stream(f"stream:{place}")
        assert listing.pictures == 240 and listing.files.remote
    assert listing.fingerprint == list_stream(f"stream:{shards['parquet']}").fingerprint
    memory.rm("/streamed", recursive=True)


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder with ranges; of every `drops`-th answer it sends a half and hangs up."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.drops, self.answers, self.dropped = folder, 0, 0, 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        whole = len(data)
        if span:
            first, last = int(span[1]), int(span[2] or whole - 1)
            data = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{whole}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.server.answers += 1
            if self.server.drops and self.server.answers % self.server.drops == 0:
                self.server.dropped += 1
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    pytest.importorskip("aiohttp")  # what fsspec reads http with; an extra, and not one of those that tests ask for
    servers = []

    def start(folder):
        servers.append(Server(folder))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1], f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # sockets of the server that hung up
@pytest.mark.parametrize(("kind", "names"), [("tar", "{000..003}.tar"), ("parquet", "train-{000..003}.parquet")])
def test_dropped_connections_change_nothing(shards, serve, kind, names, monkeypatch):
    server, address = serve(shards[kind])
    monkeypatch.setattr(listing_module.time, "sleep", lambda seconds: None)
    images = open_stream(DataConfig(data=f"stream:{address}/{names}"), 8)
    assert images.listing.fingerprint == list_stream(f"stream:{shards[kind]}").fingerprint

    def take(**options):
        with StreamBatches(images, batch_size=16, seed=5, window=60, **options) as batches:
            return np.concatenate([next(batches).pixels.numpy() for _ in range(20)])

    expected = take()
    server.drops = 3
    assert (take() == expected).all() and server.dropped > 5
    assert (take(workers=2) == expected).all()
    server.drops = 1
    with pytest.raises(PeerError, match="cannot be read, tried 6 times"):
        take()
