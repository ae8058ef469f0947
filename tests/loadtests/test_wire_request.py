"""Requests as bytes."""

from __future__ import annotations

import pytest

from loadtests.orders import PreparedRequest
from loadtests.wire_request import split_base_url, wire_bytes


def test_wire_bytes() -> None:
    """A request carries the base URL's host and prefix, the given headers and the body's length."""
    request = PreparedRequest(
        method="POST", path="/predict", headers={"Content-Type": "application/json"}, body=b"{}", expect_body=b""
    )
    assert wire_bytes(request, split_base_url("http://127.0.0.1:8080/v1/")) == (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize("url", ["https://h/", "h:80", "http://", "http://h/?q", "ftp://h"])
def test_other_urls_are_refused(url: str) -> None:
    """Only http URLs of a host are base URLs."""
    with pytest.raises(ValueError, match="base URL"):
        split_base_url(url)


@pytest.mark.parametrize("change", [{"path": "/a b"}, {"path": "/a\r\nX: y"}, {"headers": {"A": "b\nC: d"}}])
def test_requests_that_would_break_framing_are_refused(change: dict[str, object]) -> None:
    """A blank or line break where none belongs is an error before anything is sent."""
    values: dict[str, object] = {"method": "GET", "path": "/", "expect_body": None}
    request = PreparedRequest(**(values | change))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a request"):
        wire_bytes(request, split_base_url("http://h"))
