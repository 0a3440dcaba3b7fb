from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from sagan.cli.main import main
from sagan.cli.verbs import EvaluateWords, SampleWords, checked
from sagan.errors import CheckpointCorrupt, ConfigError
from sagan.presets import PRESETS


@pytest.fixture
def sample(workflow):
    return workflow(
        "sample",
        "sample",
        SimpleNamespace(paths=[Path("a.png"), Path("b\x1b.png")], count=4, seconds=1.0, warnings=("passed over",)),
    )


@pytest.fixture
def attend(workflow):
    return workflow(
        "attend", "attend", SimpleNamespace(paths=[Path("map.png"), Path("map.npz")], lines=["G.attention@16"])
    )


def test_the_command_line_and_the_workflow_agree_on_how_many():
    from sagan.workflows.sample import MAX_SEEDS

    assert checked(SampleWords, {"source": "r", "n": MAX_SEEDS}).n == MAX_SEEDS
    with pytest.raises(ConfigError, match="n is 1000001"):
        checked(SampleWords, {"source": "r", "n": MAX_SEEDS + 1})


@pytest.fixture
def check(workflow):
    answer = SimpleNamespace(
        rows=[("pictures", "12")],
        notes=["one class"],
        bad=["x.png: empty"],
        preview=Path("p.png"),
        report=None,
        usable=True,
        exit_code=0,
    )
    return workflow("check_data", "check_data", answer)


def test_sample_words(sample, capsys):
    assert main(["sample", "runs/x"]) == 0
    plain = {"n": 64, "seeds": None, "classes": None, "trunc": 0.0, "out": None, "format": "grid", "device": "auto"}
    plain |= {"engine": "torch", "precision": "auto"}
    plain |= {"seeds_from": None, "mix": None, "keep_best": 1.0, "stats": "running"}
    plain |= {"latents": None, "direction": None}
    assert sample == [((Path("runs/x"),), plain)]
    shown = capsys.readouterr()
    assert shown.out == "a.png\nb\\x1b.png\n"  # a file name cannot steer the terminal
    assert shown.err == "passed over\n4 pictures in 1s\n"
    words = ["sample", "-n", "8", "runs/x", "-o", "out.png", "--classes", "0,3", "--trunc=0.7", "--format", "npz"]
    assert main([*words, "--seeds", "0-63", "--device", "cpu", "--engine", "openvino", "--precision=bf16"]) == 0
    said = {"n": 8, "seeds": "0-63", "classes": "0,3", "trunc": 0.7, "out": Path("out.png"), "format": "npz"}
    said |= {"device": "cpu", "engine": "openvino", "precision": "bf16"}
    assert sample[1] == ((Path("runs/x"),), plain | said)
    words = ["sample", "runs/x", "--seeds-from", "liked.txt", "--mix", "cat:2,dog", "--keep-best", "0.25"]
    assert main([*words, "--stats", "standing:4x32", "--latents", "mine.safetensors", "--direction", "d:0:-1.5"]) == 0
    said = {"latents": Path("mine.safetensors"), "direction": "d:0:-1.5"}
    said |= {"seeds_from": Path("liked.txt"), "mix": "cat:2,dog", "keep_best": 0.25, "stats": "standing:4x32"}
    assert sample[2] == ((Path("runs/x"),), plain | said)


def test_the_command_line_and_the_engines_agree_on_their_names():
    from sagan.engines import EngineName, Precision

    fields = SampleWords.model_fields
    assert (fields["engine"].annotation, fields["precision"].annotation) == (EngineName, Precision)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "SOURCE is missing. Write sagan sample SOURCE; see sagan sample --help."),
        (["r", "-n", "0"], "n is '0'. It must be a whole number from 1 to 1000000."),
        (["r", "--format", "gird"], "format is 'gird'. It must be one of grid, png, npz. Did you mean grid?"),
        (["r", "--sedes", "1"], "unknown option --sedes. Did you mean --seeds?"),
        (["r", "s"], "unexpected word 's'. See sagan sample --help."),
        (["r", "-q"], "unknown option -q. See sagan sample --help."),
    ],
)
def test_sample_mistakes(sample, capsys, words, line):
    assert main(["sample", *words]) == 2
    assert capsys.readouterr().err == f"sagan: {line}\n"
    assert not sample


def test_attend_words(attend, capsys):
    assert main(["attend", "run", "--at", "20,31", "--at", "5,7", "--layer", "G.attention@32,G.attention@16"]) == 0
    (source,), said = attend[0]
    assert source == Path("run")
    assert said["at"] == [(20, 31), (5, 7)]
    assert said["layers"] == ["G.attention@32", "G.attention@16"]
    assert (said["seed"], said["label"], said["points"], said["image"], said["out"]) == (0, None, 5, None, None)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("map.png\nmap.npz\n", "G.attention@16\n")
    assert main(["attend", "run", "--seed", "7", "--label", "crab", "--points", "3", "--image", "a.png"]) == 0
    said = attend[1][1]
    assert (said["seed"], said["label"], said["points"], said["image"]) == (7, "crab", 3, Path("a.png"))
    assert said["at"] is None and said["layers"] is None


def test_attend_hears_of_truncation(attend):
    assert main(["attend", "run", "--trunc", "0.7"]) == 0
    assert main(["attend", "run"]) == 0
    assert [said["trunc"] for _, said in attend] == [0.7, 0.0]


def test_interpolate_words(workflow, capsys):
    answer = SimpleNamespace(path=Path("w.gif"), frames=9, seconds=1.0, warnings=())
    calls = workflow("interpolate", "interpolate", answer)
    assert main(["interpolate", "r"]) == 0
    assert main(["interpolate", "r", "--latents", "mine.safetensors", "--seeds", "3"]) == 0
    assert [(said["seeds"], said["latents"]) for _, said in calls] == [(None, None), ("3", Path("mine.safetensors"))]


def test_directions_words(workflow, capsys):
    rows, paths = [("direction 0", "12 %")], [Path("d.png"), Path("d.safetensors")]
    answer = SimpleNamespace(rows=rows, paths=paths, seconds=1.0, warnings=("passed over",))
    calls = workflow("directions", "directions", answer)
    assert main(["directions", "runs/x"]) == 0
    ((arguments, said),) = calls
    assert arguments == (Path("runs/x"),) and callable(said.pop("tell"))
    plain = {
        "method": "principal",
        "layer": None,
        "count": 8,
        "seeds": "0-2",
        "label": None,
        "trunc": 0.0,
        "reach": 3.0,
    }
    plain |= {"steps": 7, "out": None, "film": None, "index": 0, "fps": 24.0, "size": 128, "device": "auto"}
    assert said == plain
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("direction 0  12 %\nd.png\nd.safetensors\n", "passed over\nfound in 1s\n")
    words = [
        "directions",
        "r",
        "--method",
        "closed-form",
        "--layer",
        "0",
        "--count",
        "3",
        "--seeds",
        "5",
        "--label",
        "cat",
    ]
    words += ["--trunc", "1", "--reach", "2", "--steps", "5", "-o", "s.png", "--film", "f.gif", "--index", "2"]
    assert main([*words, "--fps", "12", "--size", "64", "--device", "cpu"]) == 0
    said = {name: word for name, word in calls[1][1].items() if name != "tell"}
    assert said == {
        "method": "closed-form", "layer": 0, "count": 3, "seeds": "5", "label": "cat", "trunc": 1.0, "reach": 2.0, "steps": 5,
        "out": Path("s.png"), "film": Path("f.gif"), "index": 2, "fps": 12.0, "size": 64, "device": "cpu",
    }  # fmt: skip


def test_neighbours_words(workflow, capsys):
    answer = SimpleNamespace(rows=[("seed 0", "a.png")], sheet=Path("n.png"), seconds=1.0, warnings=())
    calls = workflow("neighbours", "neighbours", answer)
    words = ["neighbours", "r", "--data", "photos", "--seeds", "3,4", "--classes", "all", "--trunc", "1", "--k", "2"]
    assert main(["neighbours", "r"]) == 0 and main([*words, "-o", "x.png", "--device", "cpu"]) == 0
    plain = {"seeds": "0-7", "classes": None, "trunc": 0.0, "k": 4, "out": None, "device": "auto"}
    said = {"seeds": "3,4", "classes": "all", "trunc": 1.0, "k": 2, "out": Path("x.png"), "device": "cpu"}
    assert [arguments for arguments, _ in calls] == [(Path("r"), None), (Path("r"), "photos")]
    assert [{name: word for name, word in named.items() if name != "tell"} for _, named in calls] == [plain, said]
    assert capsys.readouterr().out == "seed 0  a.png\nn.png\n" * 2


def test_project_words(workflow, capsys):
    paths = [Path("p.png"), Path("p.safetensors")]
    answer = SimpleNamespace(rows=[("distance", "3")], paths=paths, seconds=1.0, notes=("limits",))
    calls = workflow("project", "project", answer)
    words = [
        "project",
        "r",
        "me.jpg",
        "--label",
        "cat",
        "--starts",
        "3",
        "--steps",
        "50",
        "--search",
        "90",
        "-o",
        "x.png",
    ]
    assert main(["project", "r", "me.jpg"]) == 0 and main([*words, "--device", "cpu"]) == 0
    plain = {"label": None, "starts": 12, "steps": 300, "search": 1000, "out": None, "device": "auto"}
    said = {"label": "cat", "starts": 3, "steps": 50, "search": 90, "out": Path("x.png"), "device": "cpu"}
    assert [arguments for arguments, _ in calls] == [(Path("r"), Path("me.jpg"))] * 2
    assert [{name: word for name, word in named.items() if name != "tell"} for _, named in calls] == [plain, said]
    shown = capsys.readouterr()
    assert shown.out == "distance  3\np.png\np.safetensors\n" * 2 and shown.err.startswith("limits\nfound in 1s\n")
    assert main(["project", "r"]) == 2


def test_truncation_words(workflow, capsys):
    from sagan.workflows.truncation import BOUNDS, COUNT  # before a stand-in takes its place

    answer = SimpleNamespace(rows=[("none", "1")], paths=[Path("t.json")], seconds=1.0, notes=["few"])
    calls = workflow("truncation", "truncation", answer)
    words = [
        "truncation",
        "r",
        "--data",
        "photos",
        "--trunc",
        "0.5,none",
        "--features",
        "onnx:x",
        "-n",
        "90",
        "--real",
        "80",
    ]
    assert main(["truncation", "r"]) == 0
    assert main([*words, "--seed", "3", "--stats", "standing", "-o", "x.json", "--device", "cpu"]) == 0
    plain = {
        "bounds": BOUNDS,
        "features": "sagan-32",
        "n": COUNT,
        "real": 0,
        "seed": 0,
        "stats": "running",
        "out": None,
    }
    said = {"bounds": "0.5,none", "features": "onnx:x", "n": 90, "real": 80, "seed": 3, "stats": "standing"}
    assert [arguments for arguments, _ in calls] == [(Path("r"), None), (Path("r"), "photos")]
    named = [{name: word for name, word in named.items() if name != "tell"} for _, named in calls]
    assert named == [plain | {"device": "auto"}, said | {"out": Path("x.json"), "device": "cpu"}]
    assert capsys.readouterr().out == "none  1\nt.json\n" * 2


@pytest.fixture
def explore(monkeypatch):
    calls = []
    server = ModuleType("sagan.explorer.server")

    def stand_in(source, *, told, **words):
        calls.append((source, words))
        told("http://127.0.0.1:8765/?token=x\x1b")

    server.explore = stand_in
    monkeypatch.setitem(sys.modules, server.__name__, server)
    return calls


def test_explore_words(explore, capsys):
    assert main(["explore", "runs/x"]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8765/?token=x\\x1b\n"
    words = ["explore", "runs/x", "--host", "0.0.0.0", "--port", "80", "--name", "a.lan", "--name", "b.lan"]
    assert main([*words, "--device", "cpu"]) == 0
    plain = {"host": "127.0.0.1", "port": 8765, "names": [], "device": "auto"}
    assert explore[0] == (Path("runs/x"), plain)
    assert explore[1][1] == {"host": "0.0.0.0", "port": 80, "names": ["a.lan", "b.lan"], "device": "cpu"}


def test_explore_mistakes(explore, capsys):
    assert main(["explore", "runs/x", "--port", "70000"]) == 2
    assert capsys.readouterr().err == "sagan: port is '70000'. It must be a whole number from 0 to 65535.\n"
    assert not explore


@pytest.mark.parametrize("at", ["20", "20,31,5", "x,y"])
def test_attend_refuses_half_a_pixel(attend, capsys, at):
    assert main(["attend", "run", "--at", at]) == 2
    assert capsys.readouterr().err.startswith("sagan: at is ")
    assert not attend


def test_data_check(check, capsys):
    assert main(["data", "check", "photos", "--resolution", "64", "--fit", "pad", "-o", "p.png"]) == 0
    ((config, resolution, out), _named) = check[0]
    assert (config.data, config.fit, config.on_bad, resolution, out) == ("photos", "pad", "skip", 64, Path("p.png"))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("pictures  12\np.png\n", "one class\nx.png: empty\n")
    check.answer.exit_code = 3
    assert main(["data", "check", "photos"]) == 3


def test_data_check_names_the_report_that_it_wrote(check, capsys):
    check.answer.report = Path("bad.jsonl")
    assert main(["data", "check", "photos", "--report", "bad.jsonl"]) == 0
    assert check[0][1]["report"] == Path("bad.jsonl") and capsys.readouterr().out.endswith("p.png\nbad.jsonl\n")
    assert main(["data", "check", "photos", "--report", "bad.txt"]) == 2


def test_data_check_writes_its_preview_as_png(check, capsys):
    assert main(["data", "check", "photos", "-o", "p.jpg"]) == 2
    assert capsys.readouterr().err == "sagan: p.jpg: the preview is written as png. Name it p.png.\n"
    assert not check


def test_data_help_names_its_verbs(capsys):
    for word in ("--help", "-h", "help"):
        assert main(["data", word]) == 0
        told = capsys.readouterr().out
        assert "usage: sagan data check|data pack" in told and "reads without decoding" in told


def test_data_alone_says_what_it_can_do(capsys):
    for words in (["data"], ["data", "pakc"], ["data", "check"]):
        assert main(words) == 2
        assert "sagan data check" in capsys.readouterr().err


def test_verify_tells_damage_by_its_code(workflow, capsys):
    rows = workflow("verify", "verify", [("step-00000010", True, ""), ("step-00000020", True, "best")])
    assert main(["verify", "run"]) == 0
    assert rows == [((Path("run"),), {})]
    one = Path("run/checkpoints/step-00000010")  # naming one checkpoint asks about that one
    assert main(["verify", str(one)]) == 0 and rows[-1] == ((one,), {})
    rows.answer = [("step-00000010", True, ""), ("step-00000020", False, "model.safetensors differs")]
    assert main(["verify", "run"]) == 4
    assert capsys.readouterr().out.endswith("step-00000020  damaged: model.safetensors differs\n")
    rows.answer = CheckpointCorrupt("no manifest")
    assert main(["verify", "run"]) == 4


def test_bench(workflow, capsys):
    rows = workflow("bench", "bench", [("a training step", "0.50 s")])
    assert main(["bench", "--rounds", "2", "--preset", "gan-32", "--batch-size", "8", "--device", "cpu"]) == 0
    (config,), options = rows[-1]
    assert options == {"rounds": 2} and (config.preset, config.training.batch_size) == ("gan-32", 8)
    assert capsys.readouterr().out == "a training step  0.50 s\n"
    assert main(["bench", "--rounds", "0"]) == 2 and main(["bench", "one", "two"]) == 2
    assert main(["bench", "photos", "--workers", "2"]) == 0 and rows[-1][0][0].data.data == "photos"


def test_info_and_presets(workflow, capsys):
    workflow("info", "info", [("sagan", "0.1.0"), ("torch", "2.13")])
    assert main(["info"]) == 0
    assert capsys.readouterr().out == "sagan  0.1.0\ntorch  2.13\n"
    assert main(["info", "--help"]) == 0
    assert "memory" not in capsys.readouterr().out  # no row tells it
    assert main(["presets"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["auto", *PRESETS]
    assert main(["presets", "extra"]) == 2


@pytest.fixture
def evaluate(workflow):
    answer = SimpleNamespace(
        rows=[("Fréchet distance", "1.5")], notes=["few pictures"], seconds=2.0, out=Path("r.json")
    )
    return workflow("evaluate", "evaluate", answer)


def test_evaluate_words(evaluate, capsys):
    assert main(["evaluate", "runs/x"]) == 0
    (arguments, named), words = evaluate[0], ["frechet", "kid", "is", "prdc", "intra", "cas"]
    assert arguments == (Path("runs/x"), None) and callable(named.pop("tell"))
    plain = {"metrics": words, "features": "sagan-32", "n": 10_000, "real": 0, "seed": 0, "against": None, "out": None}
    assert named == plain | {"device": "auto"}
    shown = capsys.readouterr()
    assert shown.out == "Fréchet distance  1.5\nr.json\n"
    assert shown.err == "few pictures\nmeasured in 2s\n"
    said = [
        "evaluate",
        "a.safetensors",
        "--data",
        "photos",
        "--metrics",
        "kid, is",
        "--features",
        "inception:i.safetensors",
    ]
    assert (
        main([*said, "-n", "50", "--real=60", "--seed", "3", "--against", "o.json", "-o", "r.json", "--device=cpu"])
        == 0
    )
    (arguments, named) = evaluate[1]
    assert arguments == (Path("a.safetensors"), "photos")
    assert named | {"tell": None} == {
        "metrics": ["kid", "is"], "features": "inception:i.safetensors", "n": 50, "real": 60, "seed": 3,
        "against": Path("o.json"), "out": Path("r.json"), "device": "cpu", "tell": None,
    }  # fmt: skip


def test_the_command_line_and_evaluate_agree_on_metrics_and_features():
    from sagan.metrics.choose import DEFAULT
    from sagan.metrics.suite import METRICS

    fields = EvaluateWords.model_fields
    assert (fields["metrics"].default, fields["features"].default) == (",".join(METRICS), DEFAULT)


def test_leak_words(workflow, capsys):
    answer = SimpleNamespace(rows=[("verdict", "No copy.")], notes=[], seconds=2.0, page=Path("leak.html"))
    leak = workflow("leak", "leak", answer)
    assert main(["leak", "runs/x", "--data", "photos", "-n", "50", "--baseline", "200", "-o", "p.html"]) == 0
    ((arguments, named),) = leak
    assert arguments == (Path("runs/x"), "photos") and callable(named.pop("tell"))
    assert named == {"n": 50, "baseline": 200, "seed": 0, "out": Path("p.html"), "device": "auto"}
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("verdict  No copy.\nleak.html\n", "looked up in 2s\n")


@pytest.fixture
def push(workflow):
    rows = [("README.md", "7 bytes")]
    answer = SimpleNamespace(rows=rows, notes=["No licence"], out=None, url="http://hub/a/b", commit="0a")
    return workflow("share", "push", answer)


def test_push_words(push, capsys):
    assert main(["push", "runs/x", "a/b"]) == 0
    said = {"private": False, "message": "Upload a generator with sagan", "licence": None, "discriminator": True}
    said |= {"dry_run": False, "out": None, "device": "auto"}
    assert push == [((Path("runs/x"), "a/b"), said)]
    shown = capsys.readouterr()
    assert shown.out == "README.md  7 bytes\nhttp://hub/a/b commit 0a\n" and shown.err == "No licence\n"
    words = ["push", "runs/x", "a/b", "--private", "--commit-message", "First words", "--license", "mit", "--dry-run"]
    assert main([*words, "-o", "mine", "--no-discriminator", "--device", "cpu"]) == 0
    said = {"private": True, "message": "First words", "licence": "mit", "discriminator": False, "dry_run": True}
    assert push[1][1] == said | {"out": Path("mine"), "device": "cpu"}


def test_push_and_pull_need_a_name(workflow, capsys):
    for words, line in (
        (["push", "runs/x"], "NAME is missing. Write sagan push NAME; see sagan push --help."),
        (["pull"], "NAME is missing. Write sagan pull NAME; see sagan pull --help."),
    ):
        assert main(words) == 2
        assert capsys.readouterr().err == f"sagan: {line}\n"


def test_pull_words(workflow, capsys):
    answer = SimpleNamespace(rows=[("README.md", "7 bytes")], notes=["hf:a/b is commit 0a"], out=Path("pulled/b"))
    pull = workflow("share", "pull", answer)
    assert main(["pull", "a/b@v1", "-o", "pulled/b"]) == 0
    assert pull == [(("a/b@v1", Path("pulled/b")), {})]
    assert capsys.readouterr().out == "README.md  7 bytes\npulled/b\n"
