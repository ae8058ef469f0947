"""What comes from outside, and machines that show less than others: every output stays whole, plain and inert."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from synthetic_run import Truth, write_run

from commands.exits import run_program
from conformance.finding import CaseVerdict, Finding, Level
from conformance.junit import to_junit
from experiment.errors import HARNESS
from experiment.foreign_ground import plain, plain_json
from servers.repository import REPOSITORY

HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil.example/p.png)",
    "[x](javascript:alert(1)) <img src=x onerror=alert(1)>",
    "\\[x](http://evil.example/)",
    "a|b\n# c\n```\n![y](//evil.example)",
    "\x1b[31mred\x1b]0;title\x07\x9b2J\x7f",
    "\u202eevil\u2066\u200b\ufeff",
    "[/b] [bold] :smile: {{7*7}} =1+1 &lt; ]]> \N{GRINNING FACE} \udc80 \u00b5",
)
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that says all of it wherever its record has a text from outside."""
    said = " ".join(HOSTILE)
    folder = write_run(
        tmp_path_factory.mktemp("hostile") / "run",
        Truth(blocks=2, samples=20, refused={"bottle+gunicorn+function+cpu": said}),
    )
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    lines[0] |= {"command": ["python", "/home/somebody/bench.py", said], "not_run": [{"what": said, "reason": said}]}
    lines[0]["environment"] |= {"os": said, "kernel": said, "flags": {"X": f"/root/secret {said}"}}
    for number, one in enumerate(one for one in lines if one["kind"] == "trial"):
        if number % 3 == 0:
            one |= {"valid": False, "reason": said}
    lines[-1] |= {"complete": False, "reason": said}
    (folder / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return folder


def _report(run: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(REPOSITORY / "bench.py"), "report", str(run), "--out", str(out), "--export", "csv"]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, env=os.environ | environment)


LOCALES = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "", "LC_ALL": "POSIX"},
)


@pytest.mark.parametrize("environment", LOCALES, ids=str)
def test_a_report_is_written_whatever_the_terminal_shows(
    run: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """In a locale of fewer letters nothing fails, nothing steers the terminal, and files are those of any other."""
    done = _report(run, tmp_path / "out", **environment)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert not STEERING.search(done.stdout.decode("latin-1" if "latin" in str(environment) else "ascii"))
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_nothing_from_outside_is_live_in_any_output(run: Path, tmp_path: Path) -> None:
    """Page, plots, Markdown, CSV, JSON, terminal and XML: no script, no link, no picture, nothing that turns text."""
    done = _report(run, tmp_path)
    assert done.returncode == 0
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    body = re.sub(r"(`{3,})\n.*?\n\1\n", "", text, flags=re.DOTALL)
    for live in (r"(?<!\\)(\\\\)*\[[^\]]*(?<!\\)\]\(", r"(?<!\\)!\[", r"<(?!/?(sub|sup|br))", r"https?://", r"^# c"):
        assert not re.search(live, body, re.MULTILINE), live
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert not re.search(r"<img[^>]*onerror", page)
    assert "evil.example" in page
    for path in sorted(tmp_path.rglob("*.*")):
        told = path.read_text(encoding="utf-8")
        assert not STEERING.search(told.replace("\r\n", "\n")), path
        # What a report gives away: nobody's name.
        assert "somebody" not in told, path
        assert "/root" not in told, path
        if path.suffix == ".svg":
            ET.fromstring(told)  # noqa: S314 - drawn here
    assert not STEERING.search(done.stdout.decode())
    finding = Finding(
        case_id=HOSTILE[0],
        target=" ".join(HOSTILE),
        verdict=CaseVerdict.WRONG,
        level=Level.MUST,
        severity=None,
        **dict.fromkeys(("proves", "clause", "expected", "actual", "repeat"), " ".join(HOSTILE)),
    )
    found = to_junit([finding])
    ET.fromstring(found)  # noqa: S314 - written here
    assert not STEERING.search(found)


def test_plain_text_is_left_alone_and_escapes_can_be_read() -> None:
    """Letters of any script stay; what steers becomes what JSON reads as that character, in names of members too."""
    assert plain("Größe 漢字 \N{GRINNING FACE}\tx\n") == "Größe 漢字 \N{GRINNING FACE}\tx\n"
    for text in HOSTILE:
        assert not STEERING.search(plain(text))
    assert json.loads(f'"{plain(HOSTILE[6])}"') == HOSTILE[6]
    for line in (b'{"a":"\\u001b","\\u202e":["\xe2\x80\xae"]}', b'{"a":"\\ud800"}'):
        assert b"\\\\u" in plain_json(line)
    assert plain_json(b'{"a":"x"}') == b'{"a":"x"}'
    for wild in (b'{"a":1e300}', b'{"a":1e-300}', b'{"a":' + b"9" * 40 + b"}"):
        with pytest.raises(ValueError, match="than any figure of a run"):
            plain_json(wild)


def test_an_error_that_nobody_expected_is_no_finding(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, two lines, and the traceback in the file that they name."""

    def work() -> int:
        raise KeyError("riddle")

    assert run_program("bench.py", work) == HARNESS
    line, hint = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"bench\.py: unexpected KeyError: 'riddle' \(test_faults\.py:\d+\)", line)
    (path,) = re.findall(r"\S+titrate-fault-\S+\.txt", hint)
    assert "Traceback" in Path(path).read_text(encoding="utf-8")
    Path(path).unlink()


def test_a_refusal_of_the_system_names_what_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the path, a hint, exit code 3."""

    def work() -> int:
        raise OSError(28, "No space left on device", "/some/where")

    assert run_program("bench.py", work) == HARNESS
    line, hint = capsys.readouterr().err.splitlines()
    assert line == "bench.py: /some/where: No space left on device"
    assert hint.startswith("hint: make room")


def _texts_without_encoding(path: Path) -> list[int]:
    """The lines on which a file of text is read or written in the locale's encoding."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {keyword.arg for keyword in node.keywords}
        if name in ("read_text", "write_text"):
            wrong = "encoding" not in named and len(node.args) <= (name == "write_text")
        elif name in ("open", "fdopen") and isinstance(node.func, ast.Name | ast.Attribute):
            # A method's first argument is the mode; that of a zip archive's is a member's name.
            given = node.args[:1] if isinstance(node.func, ast.Attribute) and name == "open" else node.args[1:2]
            modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            text = [mode for mode in modes if re.fullmatch("[rwax][t+]*", mode)]
            wrong = bool(text) and "encoding" not in named
        else:
            continue
        found += [node.lineno] if wrong else []
    return found


def test_every_file_of_text_is_utf_8() -> None:
    """Nothing in the program reads or writes text in the encoding of whoever runs it."""
    packages = ("commands", "conformance", "experiment", "loadtests", "matrix", "reports", "servers")
    files = [path for name in packages for path in sorted((REPOSITORY / name).rglob("*.py"))]
    assert len(files) > 100
    assert {str(path): lines for path in files if (lines := _texts_without_encoding(path))} == {}
