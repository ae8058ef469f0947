"""JSON bodies near the ones that an endpoint wants: grammar first, bytes last.

A text is drawn as a list of tokens, so that most of what is wrong is wrong by one token and reaches deep into a parser.
"""

from __future__ import annotations

from random import Random
from typing import Final

from conformance.fuzzing.mutate import chance, damaged, shuffled_items

_NUMBERS: Final = (
    "0",
    "-0",
    "1",
    "24.5",
    "-3.25e2",
    "1e38",
    "3.4e38",
    "3.4028234e38",
    "3.4028236e38",
    "-3.5e38",
    "1e39",
    "1e308",
    "1e309",
    "1e-50",
    "5e-324",
    "123456789012345678901234567890",
    "0.1",
    "1E+2",
    "16777217",
    "9" * 400,
)
_ODD_NUMBERS: Final = (
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "+1",
    "1.",
    ".5",
    "0x10",
    "1e",
    "1e+",
    "--1",
    "1_0",
    "\uff11",
    "- 1",
)
_STRINGS: Final = (
    '""',
    '"a"',
    '"24.5"',
    '"feature"',
    '"\\u0000"',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\/"',
    '"é"',
    '"\U0001f600"',
    '"\\x"',
    '"\\u12"',
    '"\t"',
    "'a'",
    '"a',
    '"[[[["',
    '"\\""',
    '"\u2028"',
    '"\ufeff"',
)
_LITERALS: Final = ("null", "true", "false", "None", "True", "nul", "undefined", "{}", "[]", "[1]", '{"a":1}')
_SPACES: Final = (" ", "\t", "\n", "\r", "\r\n", "  ", "\x0b", "\x0c", "\xa0", "\u2003", "/**/", "//\n", "\x00")
_ENCODINGS: Final = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1")
_DEPTHS: Final = (2, 62, 63, 64, 65, 200, 5000)


def features_text(random: Random, names: tuple[str, ...]) -> bytes:
    """A body for a regression with features of these names: one row or `instances`, more often than not acceptable."""
    tokens = _instances(random, len(names)) if chance(random, 0.4) else _members(random, names)
    return finished(random, tokens)


def finished(random: Random, tokens: list[str]) -> bytes:
    """Tokens as bytes, in half of the draws after some edit to tokens, white space, encoding or bytes."""
    while chance(random, 0.3):
        tokens = _edited(random, tokens)
    text = "".join(tokens)
    if chance(random, 0.03):
        return text.encode(random.choice(_ENCODINGS), "replace")
    data = text.encode()
    return damaged(random, data) if chance(random, 0.1) else data


def a_value(random: Random, depth: int = 3) -> list[str]:
    """Tokens of some JSON value, or of what is nearly one."""
    kind = random.randint(0, 11)
    if kind < 4:
        return [random.choice(_NUMBERS)]
    if kind < 6:
        return [f"{random.uniform(-100, 100):.{random.randint(0, 17)}g}"]
    if kind < 9 or depth == 0:
        return [random.choice((_LITERALS, _STRINGS, _STRINGS, _ODD_NUMBERS)[random.randint(0, 3)])]
    values = [a_value(random, depth - 1) for _ in range(random.randint(0, 3))]
    if kind == 9:
        return ["{", *_joined([[random.choice(_STRINGS[:5]), ":", *value] for value in values]), "}"]
    return ["[", *_joined(values), "]"]


def _members(random: Random, names: tuple[str, ...]) -> list[str]:
    pairs = [[f'"{name}"', ":", *_number(random)] for name in names]
    if chance(random, 0.1):
        pairs.append([random.choice(_STRINGS), ":", *a_value(random)])
    if chance(random, 0.1):
        pairs = shuffled_items(random, pairs)
    return ["{", *_joined(pairs), "}"]


def _instances(random: Random, width: int) -> list[str]:
    rows = [_row(random, width) for _ in range(random.choice((1, 1, 2, 3, 5, 9)))]
    if chance(random, 0.01):
        rows = [["1"] if width == 1 else ["[", *_joined([["1"]] * width), "]"]] * random.choice((0, 1023, 1024, 1025))
    return ["{", '"instances"', ":", "[", *_joined(rows), "]", "}"]


def _row(random: Random, width: int) -> list[str]:
    if width == 1:
        return _number(random)
    count = width if chance(random, 0.95) else random.randint(0, width + 1)
    return ["[", *_joined([_number(random) for _ in range(count)]), "]"]


def _number(random: Random) -> list[str]:
    if chance(random, 0.85):
        return [f"{random.uniform(-100, 100):.{random.randint(1, 17)}g}"]
    return a_value(random)


def _joined(values: list[list[str]]) -> list[str]:
    return [token for at, value in enumerate(values) for token in ([",", *value] if at else value)]


def _edited(random: Random, tokens: list[str]) -> list[str]:
    at = random.randint(0, len(tokens))
    match random.randint(0, 6):
        case 0:
            return [*tokens[:at], random.choice(_SPACES), *tokens[at:]]
        case 1:
            return [*tokens[:at], *a_value(random), *tokens[at + 1 :]]
        case 2:
            return [*tokens[:at], random.choice(("{", "}", "[", "]", ",", ":")), *tokens[at:]]
        case 3:
            depth = random.choice(_DEPTHS)
            return [*tokens[:at], "[" * depth, "1", "]" * depth, *tokens[at + 1 :]]
        case 4:
            return ["[", *tokens, "]"] if chance(random, 0.5) else ['{"a":', *tokens, "}"]
        case 5:
            return tokens[:at]
        case _:
            return shuffled_items(random, tokens)
