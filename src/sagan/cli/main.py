"""The command `sagan`: words to records, one call, the result to words. What a verb does lives in `sagan.workflows`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

from sagan.cli.leaving import WORDS, LeaveAtOnce
from sagan.cli.printing import complain, confess, deliver, leave_broken_streams, note, say, show_any_name
from sagan.errors import ConfigError, ResourceError, SaganError
from sagan.training.stopping import Stopped

# verb -> its line in the help. Each is a function of sagan.cli.commands, or of the module named below, imported when used.
VERBS = {
    "train": "train on your pictures, or on the built-in demo set",
    "sample": "draw pictures from a trained generator",
    "attend": "show where the network looks while it draws a picture",
    "interpolate": "draw what lies between pictures, as a film or a strip",
    "project": "look for the latent of a given picture",
    "directions": "find ways in which a generator's pictures can be changed",
    "timelapse": "make a film of a run's picture grids",
    "evaluate": "measure how near drawn pictures come to real ones",
    "truncation": "measure what truncation gives in fidelity and costs in diversity",
    "neighbours": "show the training pictures nearest to drawn ones",
    "leak": "find out whether drawn pictures are copies of training pictures",
    "explore": "open a page where a click on a pixel shows where the network looked",
    "data check": "look at a set of pictures before training on it",
    "data pack": "decode pictures once, into a folder that training reads without decoding",
    "ablate": "train the paper's ablations and tabulate them",
    "compare": "put runs side by side on one page",
    "import": "open a checkpoint of another project",
    "push": "share a generator on the Hugging Face Hub",
    "pull": "fetch a shared generator from the Hub",
    "export": "write a generator as ONNX, OpenVINO, plain numbers, or a page that draws",
    "verify": "check every checkpoint of a run against its hashes",
    "doctor": "say whether a run works, and what to change if not",
    "bench": "time training steps and drawing on this machine",
    "info": "show versions, devices and what this machine can do",
    "presets": "list the presets that training can start from",
}

ELSEWHERE = {
    **dict.fromkeys(("evaluate", "leak", "doctor", "ablate", "compare"), "judging"),
    **dict.fromkeys(("push", "pull"), "sharing"),
    **dict.fromkeys(("directions", "neighbours", "project", "truncation"), "latents"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (see `sagan.errors`). Never raises.

    argv: the words after `sagan`. None takes the process's own and treats the process as ours: it ends after this, and
    a signal that comes so late changes nothing any more.
    """
    leaving = LeaveAtOnce()
    leaving.install()
    try:
        try:
            return _answer(list(sys.argv[1:] if argv is None else argv))
        finally:
            leaving.ignore() if argv is None else leaving.restore()
    except KeyboardInterrupt as stop:  # in the last instructions, after the answer
        return stop.exit_code if isinstance(stop, Stopped) else 130


def _answer(argv: list[str]) -> int:
    """The exit code of one command, with every exception turned into words."""
    show_any_name()
    try:
        return _run(argv)
    except SaganError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        note(WORDS)
        return stop.exit_code if isinstance(stop, Stopped) else 130
    except MemoryError:
        complain(ResourceError("out of memory", remedy="Close other programs, or ask for less at a time."))
        return ResourceError.exit_code
    except BrokenPipeError:  # the reader of our output left, as `head` does
        return 0
    except SystemExit as stop:  # tyro, after it printed a help text
        return stop.code if isinstance(stop.code, int) else 0
    except Exception:
        confess()
        return SaganError.exit_code
    finally:
        leave_broken_streams()


def _run(argv: list[str]) -> int:
    if not argv or argv[0] in ("--help", "-h", "help"):
        _help()
        return 0
    if argv[0] in ("--version", "-V", "version"):
        from sagan import __version__

        say(f"sagan {__version__}")
        return 0
    if argv[0] == "data" and argv[1:2] in (["--help"], ["-h"], ["help"]):
        _help("data ")
        return 0
    verb, rest = _verb(argv)
    code = command_of(verb)(rest)
    deliver()
    return code


def command_of(verb: str) -> Callable[[list[str]], int]:
    """The function of a verb: its words -> its exit code."""
    module = import_module(f"sagan.cli.{ELSEWHERE.get(verb, 'commands')}")
    command: Callable[[list[str]], int] = getattr(module, verb.replace(" ", "_") + ("_" if iskeyword(verb) else ""))
    return command


def _verb(argv: list[str]) -> tuple[str, list[str]]:
    for words in (2, 1):
        if (verb := " ".join(argv[:words])) in VERBS:
            return verb, argv[words:]
    if argv[0] == "data":
        remedy = "Write `sagan data check PICTURES` or `sagan data pack PICTURES`."
        raise ConfigError(f"data needs to know what to do{', not ' + repr(argv[1]) if argv[1:] else ''}", remedy=remedy)
    near = get_close_matches(argv[0], VERBS, n=1)
    if near:
        raise ConfigError(f"unknown command {argv[0]!r}", remedy=f"Did you mean {near[0]}?")
    if Path(argv[0]).exists():
        raise ConfigError(f"unknown command {argv[0]!r}", remedy=f"Did you mean sagan train {argv[0]}?")
    raise ConfigError(f"unknown command {argv[0]!r}", remedy=f"There are: {', '.join(VERBS)}.")


def _help(beginning: str = "") -> None:
    """The verbs that begin so."""
    shown = {verb: line for verb, line in VERBS.items() if verb.startswith(beginning)}
    say(f"usage: sagan {'VERB' if not beginning else '|'.join(shown)} ...")
    say("")
    width = max(map(len, shown))
    for verb, line in shown.items():
        say(f"  {verb:<{width}}  {line}")
    say("")
    say("sagan VERB --help tells the options of each; sagan --version tells the version.")
