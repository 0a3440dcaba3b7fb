"""Requests drawn from the server's own description, sound ones and damaged ones, get nothing but documented answers."""

from __future__ import annotations

import io
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_schema import faults, values
from PIL import Image

BOUNDED = settings(
    max_examples=30, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 2**31, 2**53, 2**63 - 1, 2**63, 10**30, -(10**30), 0.5, -0.0, 1e308, 5e-324]),
    st.sampled_from(["", "0", "NaN", "../..", "\0", "\ud800", "a" * 10_000, "\u202e", "1e999"]),
    st.text(max_size=20),
    st.recursive(
        st.none() | st.integers(), lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=20
    ),
)


@pytest.fixture(scope="module")
def described(served):
    """(the description, by a property's name what texts mean something there)."""
    status, description = served.json("GET", "/api/openapi.json")
    assert status == 200
    facts = served.json("GET", "/api/v1/facts")[1]
    buffer = io.BytesIO()
    Image.new("RGB", (20, 30), (90, 0, 200)).save(buffer, "PNG")
    picture = served.json("POST", "/api/v1/pictures", buffer.getvalue(), content_type="image/png")[1]["id"]
    layers, classes = [entry["name"] for entry in facts["layers"]], facts["classes"]
    words = {"checkpoint": [entry["id"] for entry in facts["checkpoints"]], "picture": [picture], "layer": layers}
    return description, words | {"layers": layers, "classes": classes, "label": classes, "towards_label": classes}


def operations(description):
    """(method, path, operation) of all."""
    for path, verbs in description["paths"].items():
        for method, operation in verbs.items():
            yield method.upper(), path, operation


def judge(answer, operation, root):
    """The status of an answer, which is a documented one with a documented body."""
    status, headers, content = answer
    documented = operation["responses"].get(str(status))
    assert documented is not None, (status, content[:300])
    assert status < 500 or status == 503, content[:300]
    kind = headers["content-type"].partition(";")[0]
    assert kind in documented["content"], (status, kind)
    if kind == "application/json":
        assert faults(json.loads(content), documented["content"][kind]["schema"], root) == [], (status, content[:300])
    return status


@st.composite
def damaged(draw, sound):
    """A body with one thing wrong at some depth, or at least strange."""
    body = draw(sound)
    place = body
    while isinstance(place, (dict, list)) and place:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        what = draw(st.sampled_from(["replace", "remove", "add", "whole"]))
        if what == "whole":
            return draw(STRANGE)
        if what == "remove":
            del place[key]
        elif what == "add" and isinstance(place, dict):
            place[draw(st.sampled_from(["\ud800", "\n", "seeds "]) | st.text(max_size=8))] = draw(STRANGE)
        elif what == "add":
            place.insert(0, draw(STRANGE))
        else:
            place[key] = draw(STRANGE)
        return body
    return draw(STRANGE)


def asking_for(root):
    """(path, operation, schema of its body) of what takes JSON."""
    for method, path, operation in operations(root):
        if method == "POST" and "application/json" in operation["requestBody"]["content"]:
            yield path, operation, operation["requestBody"]["content"]["application/json"]["schema"]


def ask_many(bodies, ask):
    """The statuses that `ask` got for the bodies of a strategy."""
    seen = set()

    @BOUNDED
    @given(bodies)
    def each(body):
        seen.add(ask(body))

    each()
    return seen


def test_sound_requests_get_documented_answers_and_some_what_they_asked_for(served, described):
    root, words = described
    for path, operation, schema in asking_for(root):

        def ask(body, path=path, operation=operation, schema=schema):
            assert faults(body, schema, root) == []
            return judge(served.ask("POST", path, body), operation, root)

        seen = ask_many(values(schema, root, words), ask)
        assert 200 in seen and 422 not in seen, (path, seen)


def test_damaged_requests_get_documented_answers(served, described):
    root, words = described
    for path, operation, schema in asking_for(root):

        def ask(body, path=path, operation=operation, schema=schema):
            sent = json.dumps(body).encode()
            status = judge(served.ask("POST", path, sent, content_type="application/json"), operation, root)
            wrong = faults(body, schema, root)
            if any("missing" in line or "unknown" in line for line in wrong):
                assert status == 422, (body, wrong)
            return status

        assert 422 in ask_many(damaged(values(schema, root, words)), ask), path
    assert served.ask("GET", "/healthz")[0] == 200


def test_addresses_and_files_get_documented_answers(served, described):
    root, _ = described
    for method, path, operation in operations(root):
        if method == "GET" and "{" not in path:
            assert judge(served.ask("GET", path), operation, root) == 200
            assert judge(served.ask("GET", path, token=None), operation, root) in (200, 401)
    grid = root["paths"]["/api/v1/run/grids/{step}"]["get"]
    taken = root["paths"]["/api/v1/pictures"]["post"]

    @BOUNDED
    @given(st.one_of(st.integers(), st.text(min_size=1).filter(lambda word: "/" not in word)))
    def ask_for_a_grid(step):
        word = quote(str(step), safe="", errors="surrogatepass")
        if word not in (".", ".."):
            judge(served.ask("GET", f"/api/v1/run/grids/{word}"), grid, root)

    @BOUNDED
    @given(
        st.binary(max_size=300),
        st.sampled_from(["image/png", "application/octet-stream", "application/json", "text/x"]),
    )
    def send_a_file(content, kind):
        judge(served.ask("POST", "/api/v1/pictures", content, content_type=kind), taken, root)

    ask_for_a_grid()
    send_a_file()
