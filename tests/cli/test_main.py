from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import sagan
from sagan.cli import commands
from sagan.cli.main import VERBS, main


def test_help_has_one_line_a_verb(capsys):
    for words in ([], ["--help"], ["-h"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        for verb, line in VERBS.items():
            assert re.search(rf"^  {verb} +{re.escape(line)}$", shown, re.M)


def test_every_verb_has_a_command_and_a_help_text(capsys):
    for verb in VERBS:
        assert callable(getattr(commands, verb.replace(" ", "_")))
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
