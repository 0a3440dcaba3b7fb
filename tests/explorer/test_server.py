from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import socket
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from sagan.explorer.worker import MOST_WAITING
from sagan.sampling import draw_labels

LAYER = "G.attention@8"


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def png_file(size=(20, 30), colour=(200, 30, 60)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_facts_say_what_is_served(served, trained):
    status, facts = served.json("GET", "/api/v1/facts")
    assert status == 200
    assert (facts["name"], facts["resolution"], facts["channels"]) == (trained.name, 16, 3)
    assert facts["classes"][1] == "boats" and facts["newest"] == "step-00000005"
    assert [layer["name"] for layer in facts["layers"]] == [LAYER, "D.attention@8"]
    assert facts["palette"][0] == "#ff2020"


def test_one_picture_is_a_file_of_the_exact_pixels(served):
    expected = served.renderer.draw(None, [7], ["boats"]).result(60)[0][0]
    for form in ("png", "webp"):
        body = {"seeds": [7], "classes": "boats", "format": form}
        status, headers, content = served.ask("POST", "/api/v1/generate", body)
        assert (status, headers["content-type"]) == (200, f"image/{form}")
        np.testing.assert_array_equal(pixels(content), expected)


def test_several_pictures_come_as_a_list_a_sheet_or_arrays(served):
    seeds = [3, 1, 4, 15, 9, 2, 6, 5, 35]
    expected = served.renderer.draw(None, seeds).result(60)[0]
    status, listed = served.json("POST", "/api/v1/generate", {"seeds": seeds})
    assert status == 200 and listed["media_type"] == "image/png"
    assert [entry["seed"] for entry in listed["pictures"]] == seeds
    assert [entry["label"] for entry in listed["pictures"]] == draw_labels(seeds, 2).tolist()
    np.testing.assert_array_equal(pixels(base64.b64decode(listed["pictures"][3]["data"])), expected[3])
    sheet = pixels(served.ask("POST", "/api/v1/generate", {"seeds": seeds, "arrange": "sheet"})[2])
    assert sheet.shape == (32, 128, 3)
    np.testing.assert_array_equal(sheet[16:, :16], expected[8])
    np.testing.assert_array_equal(sheet[:16, 32:48], expected[2])
    status, headers, content = served.ask("POST", "/api/v1/generate", {"seeds": seeds, "format": "npz"})
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["pictures"], expected)
        assert arrays["seeds"].tolist() == seeds


def test_the_same_seed_gives_the_same_pixels_whoever_asks_beside(served):
    alone = served.ask("POST", "/api/v1/generate", {"seeds": [7]})[2]
    answers, errors = {}, []

    def ask(number):
        try:
            status, _, content = served.ask("POST", "/api/v1/generate", {"seeds": [7 if number % 2 else 100 + number]})
            answers[number] = (status, content)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    done = [number for number in answers if answers[number][0] == 200]
    assert len(done) >= 8 and {status for status, _ in answers.values()} <= {200, 429}
    assert all(answers[number][1] == alone for number in done if number % 2)


def test_attention_rows_are_those_of_the_library(served):
    body = {"seed": 7, "label": "boats", "layer": LAYER, "points": [[13, 2], [4, 9]]}
    status, answer = served.json("POST", "/api/v1/attention", body)
    from sagan.explorer.renderer import Subject

    view = served.renderer.scenes([Subject(seed=7, label="boats")]).result(60)[0].layers[LAYER]
    assert status == 200 and answer["points"] == [[13, 2], [4, 9]]
    np.testing.assert_allclose(answer["maps"], view.rows([(1, 6), (4, 2)]), atol=1e-7)


def test_the_page_and_its_parts_are_there_and_load_nothing_from_elsewhere(served):
    status, headers, page = served.ask("GET", "/")
    assert status == 200 and headers["content-type"].startswith("text/html")
    from sagan.explorer.answers import pages

    for name, (content, kind) in pages().items():
        status, headers, answer = served.ask("GET", f"/static/{name}")
        assert (status, answer, headers["content-type"]) == (200, content, kind)
        assert headers["x-content-type-options"] == "nosniff"
        foreign = [word for word in (b"https://", b"http://") if word in content.replace(b"http://www.w3.org", b"")]
        assert foreign == [], name
    assert b"<script>" not in page and b"style=" not in page and b"onclick" not in page


def test_the_icon_is_also_where_browsers_look_by_themselves(served):
    _, headers, icon = served.ask("GET", "/static/icon.svg")
    assert served.ask("GET", "/favicon.ico")[2] == icon and headers["content-type"] == "image/svg+xml"


def test_the_run_is_told(served, trained):
    status, run = served.json("GET", "/api/v1/run")
    assert status == 200 and run["step"] == 5 and run["checkpoints"] == [4, 5]
    assert run["grids"] and len(run["columns"]["loss/generator"]) == len(run["steps"])
    status, headers, grid = served.ask("GET", f"/api/v1/run/grids/{run['grids'][-1]}")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert grid == (trained / "samples" / f"step-{run['grids'][-1]:08d}.png").read_bytes()
    assert served.ask("GET", "/api/v1/run/grids/999999")[0] == 404
    assert served.ask("GET", "/api/v1/run/grids/..%2f..%2frun.toml")[0] in (404, 422)


def test_figures_come_as_pictures_and_arrays(served):
    body = {"seed": 3, "points": [[3, 4], [9, 12]], "layers": [LAYER]}
    status, headers, figure = served.ask("POST", "/api/v1/figure", body)
    assert (status, headers["content-type"]) == (200, "image/png") and pixels(figure).shape[1] > 700
    content = served.ask("POST", "/api/v1/figure", {**body, "format": "npz"})[2]
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert arrays[f"{LAYER}/maps"].shape == (2, 4, 4)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("generate", {"seeds": []}, 422, "seeds"),
        ("generate", {"seeds": [0] * 65}, 422, "seeds"),
        ("generate", {"seeds": [-1]}, 422, "seeds"),
        ("generate", {"seeds": [2**63]}, 422, "seeds"),
        ("generate", {"seeds": ["1"]}, 422, "seeds"),
        ("generate", {"seeds": [True]}, 422, "seeds"),
        ("generate", {"seed": 1}, 422, "seed"),
        ("generate", {"seeds": [1], "a\nb": 1}, 422, "a\\nb"),
        ("generate", {"seeds": [1], "path": "/etc/passwd"}, 422, "path"),
        ("generate", {"seeds": [1], "checkpoint": "../step-00000005"}, 422, "checkpoint"),
        ("generate", {"seeds": [1], "checkpoint": "step-99999999"}, 404, "no such checkpoint"),
        ("generate", {"seeds": [1], "classes": "cars"}, 400, "there is no class cars"),
        ("generate", {"seeds": [1], "classes": [0, 1]}, 400, "2 classes for 1 seeds"),
        ("generate", {"seeds": [1], "classes": 2}, 400, "there is no class 2"),
        ("generate", {"seeds": [1], "truncation": 0.05}, 400, "trunc is 0.05"),
        ("generate", {"seeds": [1], "truncation": -1}, 422, "truncation"),
        ("generate", {"seeds": [1], "format": "exe"}, 422, "format"),
        ("attention", {"layer": LAYER, "points": [[16, 0]]}, 400, "outside"),
        ("attention", {"layer": "G.attention@9", "points": [[1, 0]]}, 400, "there is no layer"),
        ("attention", {"layer": LAYER, "points": [[1, 0]], "picture": "0123"}, 400, "only for the discriminator"),
        ("attention", {"layer": LAYER, "points": [[1, 0]], "network": "D", "picture": "0123"}, 404, "no such picture"),
        ("scene", {"share": 1.5}, 422, "share"),
        ("scene", [], 422, "body"),
        ("grid", {"seeds": list(range(17))}, 422, "seeds"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_line(served, path, body, status, words):
    got, answer = served.json("POST", f"/api/v1/{path}", body)
    assert got == status
    assert words in answer["detail"] and "\n" not in answer["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nul", b"\xff", b"[" * 5000, b'{"seeds": NaN}', b'{"seeds":[' + b"9" * 5000 + b"]}"]
)
def test_broken_json_is_told(served, body):
    status, _, content = served.ask("POST", "/api/v1/generate", body, content_type="application/json")
    assert status in (400, 422) and json.loads(content)["detail"]


STEPS = [
    "..",
    "%2e%2e",
    "..%2f",
    "..\\",
    "%2e%2e%2f",
    "....//",
    "..;",
    "%c0%ae%c0%ae",
    "%252e%252e",
    "..%5c",
    "..%00",
    ".",
]
ENDS = [
    "run.toml",
    "etc/passwd",
    "windows/win.ini",
    "checkpoints/step-00000005/model.safetensors",
    "static/main.js",
    "",
]


def traversals():
    """At least 1,500 ways to ask for a file above the page's folder."""
    for start in ("/static/", "/", "/api/v1/run/grids/", "/static//"):
        for step in STEPS:
            for depth in (1, 2, 3, 4, 6, 8):
                for end in ENDS:
                    yield start + "/".join([step] * depth) + "/" + end


def test_no_path_leads_out_of_the_page(served, trained):
    """All by one connection kept open; the answers hold nothing of the run."""
    import http.client

    secrets = [(trained / "run.toml").read_bytes()[:60], b"root:x:0", b"[fonts]"]
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    paths = sorted(set(traversals()))
    assert len(paths) >= 1500

    for path in paths:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.putheader("Authorization", "Bearer a-token-for-tests")
        connection.endheaders()
        answer = connection.getresponse()
        content = answer.read()
        assert 400 <= answer.status < 500, path
        assert not any(secret in content for secret in secrets), path

    connection.close()


def test_a_dropped_picture_is_seen_by_the_discriminator(served):
    status, answer = served.json("POST", "/api/v1/pictures", png_file(), content_type="image/png")
    assert status == 200
    body = {"network": "D", "picture": answer["id"]}
    status, _, content = served.ask("POST", "/api/v1/scene", body)
    assert status == 200 and b"D.attention@8/queries" in content
    body |= {"layer": "D.attention@8", "points": [[3, 3]]}
    status, answer = served.json("POST", "/api/v1/attention", body)
    assert status == 200 and np.sum(answer["maps"]) == pytest.approx(1, abs=1e-5)


def test_a_dropped_picture_is_made_square_as_the_run_made_its_own_and_ends_with_the_server(serve, own_run, monkeypatch):
    from safetensors.numpy import load

    from sagan.explorer import uploads

    made = []

    class Remembered(uploads.Decoders):
        def __init__(self, recipe):
            super().__init__(recipe)
            made.append(self)

    monkeypatch.setattr(uploads, "Decoders", Remembered)
    record = own_run / "run.toml"
    record.write_text(record.read_text().replace('fit = "crop"', 'fit = "pad"').replace("#ffffff", "#0a1e28"))
    drawn = Image.new("RGBA", (16, 8), (200, 30, 60, 255))
    drawn.paste((0, 0, 0, 0), (0, 4, 16, 8))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    with serve(own_run) as server:
        id = server.json("POST", "/api/v1/pictures", buffer.getvalue(), content_type="image/png")[1]["id"]
        content = server.ask("POST", "/api/v1/scene", {"network": "D", "picture": id})[2]
        (process,) = made[0]._all
        os.kill(process._process.pid, 0)
    expected = np.empty((16, 16, 3), dtype=np.uint8)
    expected[:8], expected[8:] = (200, 30, 60), (10, 30, 40)
    np.testing.assert_array_equal(load(content)["picture"], expected)
    with pytest.raises(ProcessLookupError):
        os.kill(process._process.pid, 0)


def bomb(side):
    """A PNG file of a few hundred bytes that unpacks to side x side pixels of three channels."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    rows = zlib.compress(bytes(3 * side + 1) * min(side, 2000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "payload",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", png_file()[:60], b"\x89PNG\r\n\x1a\n" + bytes(100),
     bomb(30_000), bomb(9_000), png_file((4000, 10)), b"GIF89a" + b"\xff" * 300, b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(50),
     b"%PDF-1.4", b"II*\0" + bytes(64)],
)  # fmt: skip
def test_what_is_no_picture_is_told(served, payload):
    status, _, content = served.ask("POST", "/api/v1/pictures", payload, content_type="image/png")
    assert status in (400, 422)
    assert len(json.loads(content)["detail"]) > 10
    assert served.ask("GET", "/healthz")[0] == 200


def test_huge_bodies_are_refused_before_they_are_read(served):
    with socket.create_connection(("127.0.0.1", served.port), 10) as client:
        head = f"POST /api/v1/pictures HTTP/1.1\r\nHost: {served.host}\r\nAuthorization: Bearer a-token-for-tests\r\n"
        client.sendall(head.encode() + b"Content-Type: image/png\r\nContent-Length: 99999999\r\n\r\n")
        assert client.recv(200).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" + bytes(100),
     b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nHost: b\r\n\r\n", b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_broken_requests_get_an_error_of_theirs(served, request_bytes):
    with socket.create_connection(("127.0.0.1", served.port), 10) as client:
        client.sendall(request_bytes)
        assert client.recv(200).startswith(b"HTTP/1.1 4")


def test_slow_headers_are_not_waited_for(serve, trained, monkeypatch):
    monkeypatch.setattr("sagan.explorer.server.HEADER_SECONDS", 0.4)
    with serve(trained) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(30)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: ")
        time.sleep(1.2)
        for client in clients:
            assert client.recv(100).startswith(b"HTTP/1.1 408") and client.recv(100) == b""
            client.close()
        assert server.ask("GET", "/healthz")[0] == 200


def test_more_connections_than_may_be_are_told_to_come_again(serve, trained, monkeypatch):
    monkeypatch.setattr("sagan.explorer.server.CONNECTIONS", 3)
    with serve(trained) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(3)]
        status, headers, content = server.ask("GET", "/api/v1/facts")
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert "too many connections" in json.loads(content)["detail"] and "content-security-policy" in headers
        clients.pop().close()
        until = time.perf_counter() + 5
        while server.ask("GET", "/healthz")[0] != 200 and time.perf_counter() < until:
            time.sleep(0.02)
        assert 'route="/api/v1/facts",status="503"} 1' in server.ask("GET", "/metrics")[2].decode()
        for client in clients:
            client.close()


def test_answers_on_a_kept_connection_do_not_wait_for_receipts():
    from sagan.explorer.server import listen

    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        assert accepted.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY for these alone"
        accepted.close()
        client.close()


def test_a_connection_between_two_requests_is_kept_longer_than_headers_are_waited_for(serve, trained, monkeypatch):
    monkeypatch.setattr("sagan.explorer.server.HEADER_SECONDS", 0.2)
    with serve(trained) as server:
        request = f"GET /healthz HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            for pause in (0.7, 0.0):
                client.sendall(request)
                answer = client.recv(4000)
                while not answer.endswith(b'{"status":"ok"}'):  # head and body may come apart
                    answer += client.recv(4000)
                assert answer.startswith(b"HTTP/1.1 200")
                time.sleep(pause)
            client.sendall(request[:20])  # the next one's headers never end
            assert client.recv(100).startswith(b"HTTP/1.1 408") and client.recv(100) == b""


def test_a_proxy_before_us_is_known_by_its_name_with_and_without_a_port():
    from sagan.explorer.server import host_names

    own = {"127.0.0.1:8765", "localhost:8765", "[::1]:8765"}
    assert set(host_names("127.0.0.1", (), 8765)) == own
    assert set(host_names("0.0.0.0", ("gpu3.lan",), 8765)) == own | {"gpu3.lan:8765", "gpu3.lan"}
    assert set(host_names("::", ("gpu3.lan:8443",), 8765)) == own | {"gpu3.lan:8443"}
    assert set(host_names("fd00::2", ("fd00::3",), 80)) == {
        "127.0.0.1:80", "localhost:80", "[::1]:80", "[fd00::2]:80", "[fd00::3]:80", "[fd00::3]",
    }  # fmt: skip


def test_a_file_that_cannot_be_opened_gives_its_port_back(tmp_path):
    from sagan.errors import CheckpointMissing
    from sagan.explorer.server import explore, listen

    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with pytest.raises(CheckpointMissing):
        explore(tmp_path / "none", port=port)
    listen("127.0.0.1", port).close()


def test_a_full_queue_is_told_at_once_and_recovers(served):
    gate, begun = threading.Event(), threading.Event()
    served.renderer.worker.call(lambda: (begun.set(), gate.wait(20)))
    assert begun.wait(5)
    waiting = [served.renderer.worker.call(lambda: None) for _ in range(MOST_WAITING - 1)]
    try:
        start = time.perf_counter()
        status, headers, content = served.ask("POST", "/api/v1/generate", {"seeds": [1]})
        assert (status, time.perf_counter() - start < 1) == (429, True)
        assert int(headers["retry-after"]) >= 1 and "waiting" in json.loads(content)["detail"]
        assert served.ask("GET", "/healthz")[0] == 200
    finally:
        gate.set()
    for future in waiting:
        future.result(10)
    assert served.ask("POST", "/api/v1/generate", {"seeds": [1]})[0] == 200


def test_a_deadline_that_passes_is_told(served, monkeypatch):
    monkeypatch.setattr("sagan.explorer.endpoints.DEADLINE", 0.2)
    gate = threading.Event()
    served.renderer.worker.call(lambda: gate.wait(20))
    try:
        status, headers, _ = served.ask("POST", "/api/v1/generate", {"seeds": [1]})
        assert (status, headers["retry-after"]) == (503, "5")
    finally:
        gate.set()


def test_an_upload_that_waits_too_long_for_its_turn_is_told(served, monkeypatch):
    async def never(self, payload):
        await asyncio.sleep(60)

    monkeypatch.setattr("sagan.explorer.endpoints.DEADLINE", 0.2)
    monkeypatch.setattr("sagan.explorer.uploads.Uploads._decoded", never)
    status, headers, _ = served.ask("POST", "/api/v1/pictures", png_file(), content_type="image/png")
    assert (status, headers["retry-after"]) == (503, "5")


def test_an_upload_that_finds_too_many_waiting_is_told_at_once(served, monkeypatch):
    monkeypatch.setattr("sagan.explorer.uploads.MOST_WAITING", 0)
    status, headers, content = served.ask("POST", "/api/v1/pictures", png_file(), content_type="image/png")
    assert (status, headers["retry-after"]) == (429, "1") and "waiting" in json.loads(content)["detail"]


def test_metrics_count(served):
    before = served.ask("GET", "/metrics")[2].decode()
    assert served.ask("POST", "/api/v1/generate", {"seeds": [1, 2, 3]})[0] == 200
    after = served.ask("GET", "/metrics")[2].decode()

    def value(text, name):
        return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name + " ")))

    assert value(after, "sagan_pictures_total") == value(before, "sagan_pictures_total") + 3
    assert 'sagan_requests_total{route="/api/v1/generate",status="200"}' in after


def test_a_run_may_grow_and_lose_checkpoints_while_it_is_shown(serve, own_run):
    with serve(own_run) as server:
        assert server.ask("POST", "/api/v1/scene", {"checkpoint": "step-00000004"})[0] == 200
        (own_run / "checkpoints" / "step-00000004").rename(own_run / "gone")
        status, answer = server.json("POST", "/api/v1/scene", {"checkpoint": "step-00000004"})
        assert status == 404 and "no longer" in answer["detail"]
        assert [entry["id"] for entry in server.json("GET", "/api/v1/facts")[1]["checkpoints"]] == ["step-00000005"]
        (own_run / "log.jsonl").write_text(
            '{"step": 6, "loss/generator": 1.5, "images": 1, "seconds": 2}\n{"step": 7, "lo'
        )
        run = server.json("GET", "/api/v1/run")[1]
        assert run["step"] == 6 and run["columns"]["loss/generator"] == [1.5]
        (own_run / "log.jsonl").write_text(
            '{"step": 6, "loss/generator": 1.5, "images": 1, "seconds": 2}\n'
            '{"step": 7, "loss/generator": NaN, "images": NaN, "seconds": Infinity}\n'
        )
        status, run = server.json("GET", "/api/v1/run")
        assert status == 200 and run["columns"]["loss/generator"] == [1.5, None] and run["seconds"] == 2


def test_a_generator_file_has_no_run(serve, trained, tmp_path):
    lone = tmp_path / "lone.safetensors"
    lone.write_bytes((trained / "checkpoints" / "step-00000005" / "generator.safetensors").read_bytes())
    with serve(lone) as server:
        facts = server.json("GET", "/api/v1/facts")[1]
        assert (facts["run"], [layer["name"] for layer in facts["layers"]]) == (False, [LAYER])
        assert server.json("GET", "/api/v1/run")[0] == 404
        assert server.ask("POST", "/api/v1/scene", {"seed": 1})[0] == 200


def test_the_description_names_every_address_and_every_error(served):
    status, schema = served.json("GET", "/api/openapi.json")
    assert status == 200
    assert {"/healthz", "/metrics", "/api/v1/generate", "/api/v1/scene", "/api/v1/attention"} <= set(schema["paths"])
    for path, verbs in schema["paths"].items():
        for verb, words in verbs.items():
            assert {"200", "401", "421", "422", "429", "503"} <= set(words["responses"]), (path, verb)
            assert words.get("description") or words.get("summary")


def test_listening_everywhere_needs_a_name(trained):
    pytest.importorskip("fastapi")
    from sagan.errors import ConfigError
    from sagan.explorer.server import explore

    with pytest.raises(ConfigError, match="under which name"):
        explore(trained, host="0.0.0.0")


def test_a_port_that_is_taken_is_told(served):
    from sagan.errors import ResourceError
    from sagan.explorer.server import listen

    with pytest.raises(ResourceError, match=f"cannot listen on 127.0.0.1:{served.port}"):
        listen("127.0.0.1", served.port)


def test_without_the_extra_it_says_what_to_install(trained, monkeypatch):
    import sys

    from sagan.errors import ConfigError
    from sagan.explorer.server import explore

    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ConfigError, match="needs fastapi and uvicorn"):
        explore(trained)
