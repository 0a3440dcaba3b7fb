"""All of it together: the addresses, the guard before them, and a socket."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sagan import __version__
from sagan.errors import ConfigError, ResourceError, SaganError
from sagan.explorer import messages
from sagan.explorer.answers import failure, sentence, status_of
from sagan.explorer.endpoints import Endpoints
from sagan.explorer.guard import Buckets, Guard
from sagan.explorer.renderer import Renderer
from sagan.explorer.tally import Tally
from sagan.explorer.worker import QueueFull, TooLate

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")
HEADER_BYTES = 16 << 10
HEADER_SECONDS = 10.0
IDLE_SECONDS = 30  # between two requests on one connection
CONNECTIONS = 64
EXTRA = "Install the extra: pip install 'sagan-torch[explore]'."
CODES = {
    400: "asks for what is not there, such as an unknown class",
    401: "without the token",
    403: "from another page",
    404: "no such checkpoint, picture or grid",
    408: "the body took too long to arrive",
    409: "the checkpoint is damaged, or of another version",
    413: "the body is too large",
    415: "neither JSON nor a picture",
    421: "to a name that is not ours",
    422: "the body does not say what it must",
    429: "too many requests, or the queue is full: Retry-After",
    503: "not done within the deadline, out of memory, or too many connections: Retry-After",
}
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
WEBP = {"image/webp": {"schema": {"type": "string", "format": "binary"}}}


def build_app(
    renderer: Renderer, *, token: str, hosts: Sequence[str], cookie: str, buckets: Buckets | None = None
) -> Guard:
    """The whole application, guarded. hosts: `name:port` under which it answers.  cookie: the name of the page's cookie.

    Raises ConfigError without the extra.
    """
    tally = Tally()
    renderer.worker.noted = tally.drawn
    app = _routes(Endpoints(renderer, tally))
    paths = [route.path for route in app.routes if "{" not in route.path]
    return Guard(app, token=token, hosts=hosts, cookie=cookie, tally=tally, routes=paths, buckets=buckets)


def _routes(endpoints: Endpoints) -> Any:
    require_web()
    from fastapi import Body, FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.responses import Response

    @asynccontextmanager
    async def life(app: Any) -> AsyncIterator[None]:
        yield
        await endpoints.close()

    app = FastAPI(
        title="sagan explore",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # the usual pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # an address is one address
        lifespan=life,
    )
    trouble: dict[int | str, Any] = {
        code: {"model": messages.Trouble, "description": words} for code, words in CODES.items()
    }

    def route(
        path: str,
        call: Any,
        model: Any = None,
        *,
        content: Any = None,
        listed: Any = None,
        verb: str = "GET",
        **more: Any,
    ) -> None:
        answers = dict(trouble)
        if content is not None:
            answers[200] = {"content": content, "description": "done"} | ({"model": listed} if listed else {})
        if content is not None and listed is None:
            more["response_class"] = Response  # else the description says that it may also be JSON
        app.add_api_route(path, call, methods=[verb], response_model=model, responses=answers, **more)

    route("/", endpoints.page, include_in_schema=False)
    route("/static/{name}", endpoints.static, include_in_schema=False)
    route("/favicon.ico", endpoints.icon, include_in_schema=False)
    route("/healthz", endpoints.health, messages.Health)
    route("/metrics", endpoints.metrics, content={"text/plain": {}})
    route("/api/v1/facts", endpoints.facts, messages.Facts)
    route("/api/v1/run", endpoints.run, messages.RunFacts)
    route("/api/v1/run/grids/{step}", endpoints.run_grid, content=PNG)
    route("/api/v1/generate", endpoints.generate, content=PNG | WEBP | BINARY, listed=messages.Generated, verb="POST")
    route("/api/v1/grid", endpoints.grid, content=PNG, verb="POST")
    route("/api/v1/scene", endpoints.scene, content=BINARY, verb="POST")
    route("/api/v1/attention", endpoints.attention, messages.RowsAnswer, verb="POST")
    route("/api/v1/figure", endpoints.figure, content=PNG | BINARY, verb="POST")

    async def upload(payload: bytes = Body(media_type="image/*")) -> Any:  # noqa: B008  # how FastAPI says it
        return await endpoints.upload(payload)

    route("/api/v1/pictures", upload, messages.Uploaded, verb="POST")

    async def ours(request: Any, error: Any) -> Any:
        status = status_of(error)
        return failure(status, sentence(error), **({"retry-after": "5"} if status == 503 else {}))

    async def full(request: Any, error: Any) -> Any:
        return failure(429, "too much is waiting already", **{"retry-after": str(error.after)})

    async def late(request: Any, error: Any) -> Any:
        return failure(503, "not done within the deadline", **{"retry-after": "5"})

    async def invalid(request: Any, error: Any) -> Any:
        return failure(422, messages.first_fault(list(error.errors())))

    async def unknown(request: Any, error: Any) -> Any:
        return failure(error.status_code, str(error.detail).lower(), **(error.headers or {}))

    from starlette.exceptions import HTTPException

    app.add_exception_handler(SaganError, ours)
    app.add_exception_handler(QueueFull, full)
    app.add_exception_handler(TooLate, late)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unknown)
    return app


def require_web() -> None:
    """Raises ConfigError when the extra is not installed."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise ConfigError("the explorer needs fastapi and uvicorn", remedy=EXTRA) from None


def explore(
    source: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    names: Sequence[str] = (),
    device: str = "auto",
    token: str | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve the explorer of a run, a checkpoint or a generator file until the process is told to stop.

    host, port: where to listen; port 0 takes a free one.  names: further names under which others reach this machine.
    told: gets each line for the person who waits, the address with its token last.
    Raises ConfigError, CheckpointError's children, ResourceError when the port is taken.
    """
    require_web()
    if host in EVERYWHERE and not names:
        raise ConfigError(
            f"host {host} listens everywhere, but under which name will others come?",
            remedy="Say it with --name, such as --name gpu3.lan.",
        )
    with closing(listen(host, port)) as listener, closing(Renderer(source, device=device)) as renderer:
        port = listener.getsockname()[1]
        secret = token or secrets.token_urlsafe(16)
        app = build_app(renderer, token=secret, hosts=host_names(host, names, port), cookie=f"sagan-{port}")
        shown = _with_port(names[0] if names else host, port)
        for line in (*renderer.shelf.warnings, f"http://{shown}/?token={secret}"):
            told(line)
        build_server(app).run(sockets=[listener])


def host_names(host: str, names: Sequence[str], port: int) -> list[str]:
    """What a request may name as its host. host, port: where we listen.  names: further ones, with or without a port.

    A further name also counts without any port, as browsers say it where a proxy before us has the usual one.
    """
    reached = [name for name in (*LOOPBACK, host, *names) if name not in EVERYWHERE]
    return sorted({_with_port(name, port) for name in reached} | {_bracketed(name) for name in names})


def build_server(app: Guard) -> Any:
    """A uvicorn server with our limits; `run(sockets=[...])` serves."""
    import uvicorn

    protocol: Any = _impatient  # called as a class would be
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=HEADER_BYTES,
            http=protocol,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=2,
        )
    )
    # Not uvicorn's own limit: what it answers has no Retry-After, and nobody counts it.
    app.crowded = lambda: len(server.server_state.connections) > CONNECTIONS
    return server


def _with_port(name: str, port: int) -> str:
    return name if name.count(":") == 1 else f"{_bracketed(name)}:{port}"


def _bracketed(name: str) -> str:
    """An address of IPv6 as it stands in an address of the web."""
    return f"[{name}]" if name.count(":") > 1 else name


def listen(host: str, port: int) -> socket.socket:
    """A socket that waits for connections; port 0 takes a free one. Raises ResourceError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio sends each part at once; else a body waits 40 ms for the receipt of its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2 * CONNECTIONS)
    except OSError as error:
        listener.close()
        raise ResourceError(
            f"cannot listen on {host}:{port} ({error.strerror})", remedy="Use another --port."
        ) from None
    return listener


def _impatient(**words: Any) -> Any:
    """uvicorn's protocol, which by itself waits for ever for the rest of a request's headers."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    protocol: Any = H11Protocol(**words)
    connect = protocol.connection_made

    def connection_made(transport: Any) -> None:
        connect(transport)
        loop = asyncio.get_running_loop()
        waited: Any = loop  # the request before the headers that the last look found begun; no request is the loop

        def look() -> None:
            nonlocal waited
            if transport.is_closing():
                return
            last = protocol.cycle  # the newest request, answered or not; None before the first
            begun = last is None or (last.response_complete and protocol.conn.trailing_data[0])
            if begun and last is waited:
                transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                transport.close()
                return
            waited = last if begun else loop
            loop.call_later(HEADER_SECONDS / 2, look)

        loop.call_later(HEADER_SECONDS / 2, look)

    protocol.connection_made = connection_made
    return protocol
