from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

import sagan
from sagan.cli import commands
from sagan.cli.leaving import WORDS
from sagan.cli.main import VERBS, function_of, main
from sagan.training.stopping import SIGNALS


def test_help_has_one_line_a_verb(capsys):
    for words in ([], ["--help"], ["-h"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        for verb, line in VERBS.items():
            assert re.search(rf"^  {verb} +{re.escape(line)}$", shown, re.M)


def test_every_verb_has_a_command_and_a_help_text(capsys):
    for verb in VERBS:
        assert callable(getattr(commands, function_of(verb)))
        assert main([*verb.split(), "--help"]) == 0
        assert f"usage: sagan {verb}" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sagan {sagan.__version__}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["trian"], "unknown command 'trian'. Did you mean train?"),
        (["photos"], "unknown command 'photos'. Did you mean sagan train photos?"),
        (["zzzzz"], f"unknown command 'zzzzz'. There are: {', '.join(VERBS)}."),
    ],
)
def test_unknown_verbs(capsys, tmp_path, monkeypatch, words, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert main(words) == 2
    assert capsys.readouterr().err == f"sagan: {line}\n"


def test_our_own_faults_show_the_traceback_and_ask_for_a_report(workflow, capsys):
    workflow("info", "info", ZeroDivisionError("oh"))
    assert main(["info"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown and "ZeroDivisionError: oh" in shown
    assert shown.splitlines()[-1].startswith("sagan: ") and "report" in shown.splitlines()[-1]


def test_an_interrupt_at_once_is_130_and_says_so(workflow, capsys):
    workflow("info", "info", KeyboardInterrupt())
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "sagan: stopped at once; earlier checkpoints are untouched\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_any_verb_with_its_own_code_and_one_line(workflow, capsys, number):
    before = [signal.getsignal(each) for each in SIGNALS], sys.unraisablehook
    workflow("info", "info", lambda: os.kill(os.getpid(), number))
    assert main(["info"]) == 128 + number
    assert capsys.readouterr().err == f"{WORDS}\n"
    assert ([signal.getsignal(each) for each in SIGNALS], sys.unraisablehook) == before


def test_out_of_memory_is_a_matter_of_resources(workflow, capsys):
    workflow("info", "info", MemoryError())
    assert main(["info"]) == 5
    assert capsys.readouterr().err.startswith("sagan: out of memory. ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_results_that_cannot_be_written_are_told():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sagan", "presets"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 5
    assert done.stderr.startswith("sagan: standard output: cannot be written: ") and done.stderr.count("\n") == 1


# What the process is doing when the signal comes -> what the rest of the script must not reach.
INTERRUPTED = {
    "in a workflow": "main()",
    "while a module is imported": "importlib.import_module('imported')",
    "in a finaliser": "Finalised(); time.sleep(0.2)",
    "after the answer": "leaving.ignore(); os.kill(os.getpid(), number); sys.exit(128 + number)",
}


@pytest.mark.parametrize("place", INTERRUPTED)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_ends_by_a_signal_wherever_it_is(tmp_path, place, number):
    """Neither Python's printing of what a finaliser raised, nor what an import makes of an exception, hides the signal."""
    (tmp_path / "imported.py").write_text(
        "try:\n    import os; os.kill(os.getpid(), NUMBER)\nexcept BaseException: pass\n"
    )
    text = (tmp_path / "imported.py").read_text().replace("NUMBER", str(int(number)))
    (tmp_path / "imported.py").write_text(text)
    script = f"""
import importlib, os, sys, time
from sagan.cli import commands, main as module
from sagan.cli.leaving import LeaveAtOnce
number = {int(number)}
leaving = LeaveAtOnce()
leaving.install()
class Finalised:
    def __del__(self):
        os.kill(os.getpid(), number)
        time.sleep(0)
def main():
    sys.argv = ["sagan", "info"]
    commands.info = lambda words: os.kill(os.getpid(), number)
    sys.exit(module.main())
{INTERRUPTED[place]}
print("went on")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path, preexec_fn=hearing
    )
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == ("" if place == "after the answer" else f"{WORDS}\n")


def hearing():
    """A shell's background job has Ctrl-C ignored, and so have its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_help_leaves_torch_and_tyro_alone():
    code = (
        "import sys; from sagan.cli.main import main; main(['--help']);"
        "print(sorted({'torch', 'tyro', 'pydantic', 'rich', 'numpy'} & set(sys.modules)), file=sys.stderr);"
        "main(['train', '--help']); print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "[]\nFalse\n"


def test_a_reader_who_leaves_is_no_fault():
    code = "import sys; from sagan.cli.main import main; sys.exit(main(['--help']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


@pytest.mark.parametrize(("words", "code"), [("trian", 2), ("presets", 0)])
def test_streams_without_a_reader_leave_the_exit_code_alone(words, code):
    script = f"import sys; from sagan.cli.main import main; sys.exit(main([{words!r}]))"
    reading, writing = os.pipe()
    os.close(reading)
    try:  # both at once, as with `2>&1 | head`
        done = subprocess.run([sys.executable, "-c", script], stdout=writing, stderr=writing, timeout=60)
    finally:
        os.close(writing)
    assert done.returncode == code


def test_an_encoding_that_lacks_a_letter_is_no_fault(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    script = "import sys; from sagan.cli import main as m, printing; m.main(['--version']); printing.say('h\xf6\u2713')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "h\\xf6\\u2713"


def test_python_m_sagan():
    done = subprocess.run([sys.executable, "-m", "sagan", "trian"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sagan: unknown command 'trian'. Did you mean train?\n"
