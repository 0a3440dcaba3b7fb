"""A small Hub in this process: the parts of the Hugging Face Hub's HTTP interface that huggingface_hub calls for us.

It keeps models as commits, checks what it is sent as the real one does (tokens, SHA-256 of large files, YAML of cards), and
can be told to fail. Nothing here reaches another machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
import yaml

TOKEN = "hf_secretOfAlice123"


@dataclass
class Model:
    """commits: (hash, {file: bytes}), oldest first."""

    private: bool = False
    gated: bool = False
    commits: list = field(default_factory=list)

    def commit(self, files):
        text = json.dumps([len(self.commits), sorted((k, hashlib.sha256(v).hexdigest()) for k, v in files.items())])
        self.commits.append((hashlib.sha1(text.encode()).hexdigest(), dict(files)))
        return self.commits[-1][0]

    def at(self, revision):
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)


class Hub:
    """models: by name.  asked: (method, path) of every request.

    To make it fail: `status` or `says` answers every request, `large_status` every large file, `sizes` of files are what it
    claims, the next downloads of a file in `cut` end after so many bytes, `before_commit` is called with the model.
    """

    def __init__(self, url):
        self.url = url
        self.models, self.large, self.asked = {}, {}, []
        self.writers, self.token = {"alice"}, TOKEN
        self.sizes, self.cut, self.status, self.large_status = {}, {}, 0, 0
        self.says, self.before_commit = None, None

    def add(self, name, files, **facts):
        """A model that is there already; returns its commit."""
        model = self.models.setdefault(name, Model(**facts))
        return model.commit(files)

    def fetched(self):
        """The names of the files whose bytes were asked for."""
        return [path.rsplit("/", 1)[1] for method, path in self.asked if method == "GET" and "/resolve/" in path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self):
        return self.server.hub

    def log_message(self, *words):
        pass

    def do_GET(self):
        self.serve()

    do_HEAD = do_POST = do_PUT = do_GET

    def serve(self):
        self.path = urlsplit(self.path).path
        self.hub.asked.append((self.command, unquote(self.path)))
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.body = self.read_chunks()
        self.user = "alice" if self.headers.get("Authorization") == f"Bearer {TOKEN}" else None
        if self.hub.status:
            return self.refuse(self.hub.status, said=f"no: {self.headers.get('Authorization')}")
        if self.hub.says is not None:
            return self.answer(payload=self.hub.says)
        for pattern, answer in ROUTES:
            match = re.fullmatch(pattern, self.path)
            if match:
                return answer(self, *map(unquote, match.groups()))
        self.refuse(404)

    def read_chunks(self):
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, value=None, status=200, payload=None, cut=None, **headers):
        payload = json.dumps(value).encode() if payload is None else payload
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), str(text))
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(payload if cut is None else payload[:cut])
        if cut is not None and cut < len(payload):
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(2)

    def refuse(self, status, code="", said="refused"):
        headers = {"X_Error_Code": code} if code else {}
        self.answer({"error": said}, status=status, X_Error_Message=said, **headers)

    def model(self, name):
        """The model, or None after an answer that says why not."""
        model = self.hub.models.get(name)
        if model is None or (model.private and self.user is None):
            return self.refuse(404 if self.user else 401, "RepoNotFound", "Repository not found")
        if model.gated and self.user is None:
            return self.refuse(403, "GatedRepo", "Access to model is restricted")
        return model

    def may_write(self, name):
        if self.user is None:
            return self.refuse(401, said="Invalid username or password.")
        if name.split("/")[0] not in self.hub.writers:
            return self.refuse(403, said=f"You don't have the rights to create a model under {name}")
        return True

    def info(self, name, revision="main"):
        model = self.model(name)
        if model is None:
            return
        if (commit := model.at(revision)) is None:
            return self.refuse(404, "RevisionNotFound", "Invalid rev id")
        files = [
            {"rfilename": file, "size": self.hub.sizes.get(file, len(payload)), "blobId": "0" * 40}
            for file, payload in commit[1].items()
        ]
        self.answer({"id": name, "sha": commit[0], "private": model.private, "siblings": files})

    def create(self):
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if self.may_write(name) is None:
            return
        if name in self.hub.models:
            return self.answer({"url": f"{self.hub.url}/{name}", "error": "exists"}, status=409)
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.hub.add(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=private)
        self.answer({"url": f"{self.hub.url}/{name}", "name": name})

    def validate(self):
        try:
            yaml.safe_load(json.loads(self.body)["content"].split("---\n")[1])
        except (yaml.YAMLError, IndexError) as error:
            return self.answer({"errors": [{"message": str(error)}], "warnings": []}, status=400)
        self.answer({"errors": [], "warnings": []})

    def preupload(self, name):
        if self.may_write(name) is None:
            return
        files = json.loads(self.body)["files"]
        modes = ("lfs" if re.search(r"\.(safetensors|png)$", file["path"]) else "regular" for file in files)
        self.answer(
            {
                "files": [
                    {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
                    for file, mode in zip(files, modes, strict=True)
                ]
            }
        )

    def batch(self, name):
        objects = [
            one | {"actions": {"upload": {"href": f"{self.hub.url}/large/{one['oid']}"}}}
            for one in json.loads(self.body)["objects"]
        ]
        self.answer({"transfer": "basic", "objects": objects})

    def large(self, digest):
        if self.hub.large_status:
            return self.refuse(self.hub.large_status, said="too large")
        if hashlib.sha256(self.body).hexdigest() != digest:
            return self.refuse(400)
        self.hub.large[digest] = self.body
        self.answer({})

    def commit(self, name):
        model = self.model(name)
        if model is None or self.may_write(name) is None:
            return
        if self.hub.before_commit:
            self.hub.before_commit(model)
        files = dict(model.commits[-1][1])
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header" and value.get("parentCommit", model.commits[-1][0]) != model.commits[-1][0]:
                return self.refuse(412, said="A commit has happened since.")
            if entry["key"] == "header":
                self.hub.message = value["summary"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            if entry["key"] == "deletedFile":
                del files[value["path"]]
        made = model.commit(files)
        self.answer({"commitUrl": f"{self.hub.url}/{name}/commit/{made}", "commitOid": made})

    def resolve(self, name, revision, file):
        model = self.model(name)
        if model is None:
            return
        commit = model.at(revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        if file not in commit[1]:
            return self.refuse(404, "EntryNotFound")
        payload = commit[1][file]
        headers = {"X_Repo_Commit": commit[0], "ETag": f'"{hashlib.sha256(payload).hexdigest()}"'}
        first = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if first:
            begin = int(first[1])
            headers["Content_Range"] = f"bytes {begin}-{len(payload) - 1}/{len(payload)}"
            payload, status = payload[begin:], 206
        else:
            status = 200
        cuts = self.hub.cut.get(file, []) if self.command == "GET" else []
        self.answer(payload=payload, status=status, cut=cuts.pop() if cuts else None, **headers)


NAME = r"([^/]+/[^/]+)"
ROUTES = [
    ("/api/repos/create", Handler.create),
    ("/api/validate-yaml", Handler.validate),
    (rf"/api/models/{NAME}", Handler.info),
    (rf"/api/models/{NAME}/revision/([^/]+)", Handler.info),
    (rf"/api/models/{NAME}/preupload/main", Handler.preupload),
    (rf"/api/models/{NAME}/commit/main", Handler.commit),
    (rf"/{NAME}\.git/info/lfs/objects/batch", Handler.batch),
    (r"/large/(\w+)", Handler.large),
    (rf"/{NAME}/resolve/([^/]+)/([^/]+)", Handler.resolve),
]


@pytest.fixture(scope="module")
def running():
    """A server on this machine's loopback, and what it serves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    server.hub = Hub(server.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hub(running, monkeypatch, tmp_path):
    """An empty Hub, which huggingface_hub takes for the real one; alice is logged in, and the cache is empty."""
    library = pytest.importorskip("huggingface_hub", reason="huggingface_hub (the extra 'hub') is not installed")
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    running.hub = Hub(running.url)
    cache = str(tmp_path / "hub-cache")
    for name, value in {
        "ENDPOINT": running.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": running.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_URL_HOSTS": frozenset({"127.0.0.1"}),
        "HF_HUB_CACHE": cache,
        "HF_TOKEN_PATH": str(tmp_path / "no-token"),
        "HF_HUB_DISABLE_XET": True,  # the Hub's other way of transfer, whose servers are not played here
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, value, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running.hub.library, running.hub.constants, running.hub.cache = library, constants, cache
    close_session()
    yield running.hub
    close_session()
