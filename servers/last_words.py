"""What a program said last about why it failed, in one line: out of an exception's text, or out of a log."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 300
"""Characters of one line; longer ones are cut."""

_TRACEBACK: Final = "Traceback (most recent call last):"
_GRAPH: Final = "Graph execution error:"
_NOISE: Final = re.compile(
    r"\s*$|\s*File \"|\s*\^+\s*$|\s*Detected at node|\s*\[\[\{\{node|\s*The op is created at|\s*Original stack trace"
    r"|\s*tf2xla conversion failed|\s*<stack traces unavailable>|\s*Stack traces unavailable|\s*\d+ root error"
    r"|\s*\d+ (successful|derived) (operations|errors?)|[IWEF]\d{4} |WARNING[: ]|<unknown>:0: error: failed while"
)
"""Lines that say where, and not what."""

_COMPILER: Final = re.compile(r":\d+: error: (.+)|^(?:loc\(.*?\): )?error: (.+)", re.MULTILINE)
_XLA: Final = re.compile(r"Detected unsupported operations when trying to compile graph \S+ on \S+: ")
_OPERATION: Final = re.compile(r"\w+")
_ATTRIBUTES: Final = re.compile(r"attributes didn't match\) Requested Attributes: (\w+=\w+)")
_ROOT: Final = re.compile(r"^\s*\(\d+\) [A-Z_]+: +")
_AROUND: Final = re.compile(r"\{\{function_node [^}]*\}\}+ |\{\{node [^}]*\}\}|\s*\[Op:\S*\](?: name: ?\S*)?")
_ARGUMENTS: Final = re.compile(r"^(Call a|A)rguments received", re.MULTILINE)
_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")
_LOG_LINE: Final = re.compile(r"\[|\d{4}-\d\d-\d\d|titrate: ")
_LOGGED_ERROR: Final = re.compile(r"(?:ERROR|CRITICAL)\]? *:? *(.+)")
_OUTCOME: Final = re.compile(
    r"Worker \(pid|Worker failed|Reason: Worker|Shutting down|Unexpected exit|Exception in worker|Can't connect to \("
    r"|Retrying in "
)
"""Errors in a log that only tell that an earlier one was the last."""

_PANIC: Final = re.compile(r"thread '.*' \(?.*panicked at .*:\n(.+)")
_WAITRESS: Final = re.compile(
    r"There was an exception \((\w+)\) importing your module\.\s+It had these arguments:\s+1\. (.+)"
)


def last_words(text: str) -> str:
    """The line of an exception's text that says what is wrong: not where, and by what way it was reached."""
    text = _ARGUMENTS.split(_STYLE.sub("", text))[0]
    if _TRACEBACK in text:
        return _one_line(_after_traceback(text))
    told = [one or other for one, other in _COMPILER.findall(text)]
    if telling := [each for each in told if not each.startswith("failed while")]:
        return _one_line(telling[0])
    unsupported = _XLA.split(text)
    lines = [line for line in unsupported[-1].splitlines() if not _NOISE.match(line) and line.strip() != _GRAPH]
    if not lines:
        return _one_line(text)
    if len(unsupported) > 1 and (operation := _OPERATION.match(unsupported[-1])):
        attributes = _ATTRIBUTES.search(unsupported[-1])
        return _one_line(f"XLA has no kernel for {operation[0]}{f' with {attributes[1]}' if attributes else ''}")
    return _one_line(lines[0])


def last_words_of_log(text: str) -> str:
    """Why a process ended, by its log: a refusal of ours, an exception, an error, or its last line."""
    text = _STYLE.sub("", text)
    lines = [line for line in text.splitlines() if line.strip()]
    if refusals := [line for line in lines if line.startswith("titrate: ")]:
        return _one_line(refusals[-1])
    if found := _WAITRESS.search(text):
        return _one_line(f"{found[1]}: {found[2]}")
    if found := _PANIC.search(text):
        return _one_line(found[1])
    if _TRACEBACK in text:
        return _one_line(_after_traceback(text))
    errors = [found[1] for line in lines if (found := _LOGGED_ERROR.search(line)) and not _OUTCOME.match(found[1])]
    telling = [line for line in lines if not _NOISE.match(line)]
    return _one_line((errors or telling or lines or ["it wrote nothing"])[-1])


def _after_traceback(text: str) -> str:
    """The exception at the end of the last traceback, its message's further lines too."""
    lines = text.rpartition(_TRACEBACK)[2].splitlines()[1:]
    rest = [line for line in lines if not line.startswith((" ", "\t")) or line.strip().startswith("[[")]
    said: list[str] = []
    for line in rest:
        if line.strip() == "" and not said:
            continue
        if line.strip() == "" or _LOG_LINE.match(line) or line.strip().startswith("[["):
            break
        said.append(line.strip())
    # Gunicorn writes the message once more below.
    kind, _, first = (said or [""])[0].partition(": ")
    message = [first, *said[1:]]
    half = len(message) // 2
    if half and message[:half] == message[half:]:
        message = message[:half]
    return f"{kind}: {' '.join(message)}" if first else " ".join(said)


def _one_line(text: str) -> str:
    line = " ".join(_AROUND.sub("", _ROOT.sub("", text)).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
