"""A small run behind a real server on loopback, for a session; whoever changes a run serves a copy of it."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent)]  # for `json_schema`

TOKEN = "a-token-for-tests"


@dataclass
class Served:
    """A server and its renderer."""

    port: int
    renderer: Any

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **headers: str):
        """(status, headers, bytes). A dict or list is sent as JSON; headers are named with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named.setdefault("authorization", f"Bearer {token}")
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            named.setdefault("content-type", "application/json")
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None, **headers: str):
        """(status, what the JSON says)."""
        status, _, content = self.ask(method, path, body, **headers)
        return status, json.loads(content)


@contextmanager
def serving(source):
    """A server of a run or a file until the context ends."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    import torch

    from sagan.explorer.renderer import Renderer
    from sagan.explorer.server import build_app, build_server, listen
    from sagan.runtime import Runtime

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    renderer = Renderer(source, runtime=Runtime(torch.device("cpu"), torch.get_num_threads()))
    app = build_app(renderer, token=TOKEN, hosts=[f"127.0.0.1:{port}", f"localhost:{port}"], cookie=f"sagan-{port}")
    server = build_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield Served(port, renderer)
    finally:
        server.should_exit = True
        thread.join(20)
        renderer.close()
        listener.close()


@pytest.fixture(scope="session")
def serve():
    """serve(source) is a context in which a run or a file is served."""
    return serving


@pytest.fixture(scope="session")
def served(trained):
    """The session's server; its run is read only."""
    with serving(trained) as server:
        yield server


@pytest.fixture(scope="session")
def renderer(trained):
    """A renderer without a server."""
    import torch

    from sagan.explorer.renderer import Renderer
    from sagan.runtime import Runtime

    made = Renderer(trained, runtime=Runtime(torch.device("cpu"), torch.get_num_threads()))
    yield made
    made.close()
