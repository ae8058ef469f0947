"""JSON in, strictly: what RFC 8259 does not allow, and what two parsers would read differently (RFC 7493)."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Expectation
from conformance.contract import JSON_DEPTH
from conformance.expect import PREDICT, answered, post, refused
from conformance.recipes import Join, Recipe, Repeat

_GOOD: Final = b'{"feature":24.5}'


def _case(name: str, proves: str, body: Recipe, expects: Expectation, clause: str) -> Case:
    return Case(
        id=f"json-{name}",
        proves=proves,
        clause=clause,
        endpoint="predict",
        request=post("/predict", body),
        expects=expects,
    )


def _malformed(name: str, proves: str, body: Recipe, clause: str = "docs/contract.md#json-in") -> Case:
    return _case(name, proves, body, refused("malformed_json"), clause)


def _accepted(name: str, proves: str, body: Recipe, clause: str = "docs/contract.md#json-in") -> Case:
    return _case(name, proves, body, answered("/predict", same_as=PREDICT), clause)


def _nested(levels: int) -> Recipe:
    """The good object with another member of as many nested arrays; the object itself is one level more."""
    arrays = (Repeat(unit=b"[", times=levels), Repeat(unit=b"]", times=levels))
    return Join(parts=(b'{"feature":24.5,"deep":', *arrays, b"}"))


def _beside(levels: int) -> Recipe:
    """The same after a hundred arrays that are closed again, so that brackets are more than levels."""
    closed = Join(parts=(b'"flat":[', Repeat(unit=b"[],", times=100), b"[]],"))
    arrays = (Repeat(unit=b"[", times=levels), Repeat(unit=b"]", times=levels))
    return Join(parts=(b'{"feature":24.5,', closed, b'"deep":', *arrays, b"}"))


CASES: Final = (
    _malformed("empty", "An empty body is no JSON text.", b"", "RFC 8259 section 2"),
    _malformed("blank", "A body of white space is no JSON text.", b" \r\n\t ", "RFC 8259 section 2"),
    _malformed("cut", "An object without its end is malformed.", b'{"feature":24.5'),
    _malformed("trailing-garbage", "A letter after the value is malformed.", _GOOD + b"x", "RFC 8259 section 2"),
    _malformed("two-values", "A second value after the first is malformed.", _GOOD * 2, "RFC 8259 section 2"),
    _malformed("trailing-nul", "A NUL after the value is malformed.", _GOOD + b"\0", "RFC 8259 section 2"),
    _malformed("trailing-comma", "A comma before the closing brace is malformed.", b'{"feature":24.5,}'),
    _malformed("comment", "A comment is malformed.", b'{"feature":24.5/*x*/}'),
    _malformed("single-quotes", "A name in single quotes is malformed.", b"{'feature':24.5}"),
    _malformed("bare-name", "A name without quotes is malformed.", b"{feature:24.5}"),
    _malformed("no-colon", "A member without a colon is malformed.", b'{"feature" 24.5}'),
    _malformed("python-true", "A Python constant is malformed.", b'{"feature":True}'),
    _malformed("nan", "A NaN is no JSON number.", b'{"feature":NaN}', "RFC 8259 section 6"),
    _malformed("infinity", "An Infinity is no JSON number.", b'{"feature":Infinity}', "RFC 8259 section 6"),
    _malformed("minus-infinity", "A negative Infinity is no number.", b'{"feature":-Infinity}', "RFC 8259 section 6"),
    _malformed(
        "nan-elsewhere",
        "A NaN in a member that is ignored is malformed all the same.",
        b'{"feature":24.5,"other":[NaN]}',
        "RFC 8259 section 6",
    ),
    _malformed("leading-zero", "A leading zero is malformed.", b'{"feature":024.5}', "RFC 8259 section 6"),
    _malformed("leading-plus", "A leading plus sign is malformed.", b'{"feature":+24.5}', "RFC 8259 section 6"),
    _malformed("leading-point", "A number must not begin with its point.", b'{"feature":.5}', "RFC 8259 section 6"),
    _malformed("trailing-point", "A number must not end with its point.", b'{"feature":24.}', "RFC 8259 section 6"),
    _malformed("hexadecimal", "A hexadecimal number is malformed.", b'{"feature":0x18}', "RFC 8259 section 6"),
    _malformed("bare-exponent", "An exponent needs digits.", b'{"feature":24e}', "RFC 8259 section 6"),
    _malformed("byte-order-mark", "A byte order mark is malformed.", b"\xef\xbb\xbf" + _GOOD, "RFC 8259 section 8.1"),
    _malformed("utf-16", "A text in UTF-16 is malformed.", _GOOD.decode().encode("utf-16"), "RFC 8259 section 8.1"),
    _malformed(
        "utf-16-unmarked",
        "A text in UTF-16 without a mark is malformed, though its zeros give it away.",
        _GOOD.decode().encode("utf-16-le"),
        "RFC 8259 section 8.1",
    ),
    _malformed("utf-32", "A text in UTF-32 is malformed.", _GOOD.decode().encode("utf-32"), "RFC 8259 section 8.1"),
    _malformed("latin-1", "A text in Latin-1 is malformed.", b'{"feature":24.5,"\xe9":1}', "RFC 8259 section 8.1"),
    _malformed(
        "overlong", "An overlong UTF-8 form is malformed.", b'{"feature":24.5,"\xc0\xaf":1}', "RFC 3629 section 3"
    ),
    _malformed(
        "encoded-surrogate",
        "A surrogate encoded as if it were a character is malformed.",
        b'{"feature":24.5,"x":"\xed\xa0\x80"}',
        "RFC 3629 section 3",
    ),
    _malformed(
        "lone-surrogate",
        "A lone surrogate escape is malformed: no UTF-8 text can hold it.",
        b'{"feature":24.5,"x":"\\ud800"}',
        "RFC 7493 section 2.1",
    ),
    _malformed(
        "lone-surrogate-name",
        "A lone surrogate escape in a name is malformed.",
        b'{"feature":24.5,"\\udc00":1}',
        "RFC 7493 section 2.1",
    ),
    _malformed("raw-tab", "A raw tabulator within a string is malformed.", b'{"feature":24.5,"x":"\t"}'),
    _malformed("bad-escape", "An escape that JSON does not know is malformed.", b'{"feature":24.5,"x":"\\x41"}'),
    _malformed("short-escape", "A Unicode escape of three digits is malformed.", b'{"feature":24.5,"x":"\\u123"}'),
    _malformed("form-feed", "A form feed is no white space of JSON.", b'\f{"feature":24.5}', "RFC 8259 section 2"),
    _malformed(
        "no-break-space", "A no-break space is no white space of JSON.", b"\xc2\xa0" + _GOOD, "RFC 8259 section 2"
    ),
    _malformed(
        "duplicate",
        "A repeated member is malformed: parsers disagree on which one counts.",
        b'{"feature":24.5,"feature":24.5}',
        "RFC 8259 section 4",
    ),
    _malformed(
        "duplicate-escaped",
        "A member repeated under an escape is a repeated member.",
        b'{"feature":24.5,"\\u0066eature":24.5}',
        "RFC 8259 section 4",
    ),
    _malformed(
        "duplicate-inside",
        "A repeated member deeper inside is malformed too.",
        b'{"feature":24.5,"other":[{"a":1,"a":1}]}',
        "RFC 8259 section 4",
    ),
    _malformed("over-depth", "A depth of 65 is one too many.", _nested(JSON_DEPTH), "RFC 8259 section 9"),
    _malformed(
        "far-over-depth",
        "A depth of a hundred thousand is refused like any other, and no fault inside.",
        _nested(100_000),
        "RFC 8259 section 9",
    ),
    _malformed("open-brackets", "A run of opening brackets is refused.", Repeat(unit=b"[", times=100_000)),
    _accepted("at-depth", "A depth of 64 is accepted.", _nested(JSON_DEPTH - 1), "RFC 8259 section 9"),
    _accepted("at-depth-beside", "A depth of 64 beside a hundred arrays is accepted.", _beside(JSON_DEPTH - 1)),
    _malformed("over-depth-beside", "A depth of 65 beside a hundred arrays is one too many.", _beside(JSON_DEPTH)),
    _accepted(
        "brackets-in-string",
        "The brackets within a string add no depth.",
        Join(parts=(b'{"feature":24.5,"x":"', Repeat(unit=b"[", times=100), b'"}')),
        "RFC 8259 section 7",
    ),
    _accepted(
        "surrogate-pair",
        "A pair of surrogate escapes is one character.",
        b'{"feature":24.5,"x":"\\ud83d\\ude00"}',
        "RFC 8259 section 7",
    ),
    _accepted("non-ascii", "A name outside ASCII is a name.", '{"feature":24.5,"größe":1}'.encode()),
)
