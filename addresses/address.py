"""A base URL as a value: read whole, once, and never put together as text by anybody else."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Final

HTTP_PORT: Final = 80
LARGEST_PORT: Final = 65_535
_LONGEST_NAME: Final = 253
_SHOWN: Final = 80

_PARTS: Final = re.compile(r"(?i:http)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)
_PLACE: Final = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?", re.DOTALL)
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PATH: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
"""What RFC 3986 lets a path consist of."""


class AddressError(ValueError):
    """What is no base URL, no host or no port; the message says why, in one line, and repeats no password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is: a name in ASCII or a bare address, a port, and the base URL's path without its last slash."""

    host: str
    port: int = HTTP_PORT
    prefix: str = ""

    @classmethod
    def of(cls, base_url: str) -> Address:
        """Reads `http://host[:port][/prefix]`, an IPv6 address in brackets. Raises AddressError for all else."""
        found = _PARTS.fullmatch(base_url)
        if found is None:
            raise _refusal(base_url, "it does not begin with http://")
        authority, path, rest = found["authority"], found["path"], found["rest"]
        if rest or "@" in authority:
            raise _refusal(base_url, "a query or a fragment has no place in it")
        place = _PLACE.fullmatch(authority)
        if place is None or place["name"] == "" != authority:
            raise _refusal(base_url, "an IPv6 address stands in brackets, as in http://[::1]:8000")
        if not _PATH.fullmatch(path):
            raise _refusal(base_url, "its path has a character that must be percent-encoded, as %20 for a space")
        try:
            host = _six(place["six"]) if place["six"] is not None else host_of(place["name"])
            return cls(host=host, port=port_of(place["port"] or str(HTTP_PORT)), prefix=path.rstrip("/"))
        except AddressError as error:
            raise _refusal(base_url, str(error)) from error

    @property
    def reachable(self) -> Address:
        """Itself; this machine's own address where it stands for every address of the machine."""
        return replace(self, host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host))  # noqa: S104 - read only

    @property
    def place(self) -> str:
        """`host:port`, an IPv6 address in brackets."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the Host header: without HTTP's own port, and without an interface (RFC 6874)."""
        host = _bracketed(self.host.partition("%")[0])
        return host if self.port == HTTP_PORT else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"http://{self.place if self.port != HTTP_PORT else _bracketed(self.host)}{self.prefix}"


def host_of(text: str) -> str:
    """A host's name or address as it is looked up, another script's in its ASCII form (IDNA). Raises AddressError."""
    if not text:
        raise AddressError("the host is missing")
    if ":" in text:
        return _six(text)
    try:
        name = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise AddressError(f"{_shown(text)} is no host name") from error
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.removesuffix(".").split(".")):
        raise AddressError(f"{_shown(text)} is no host name")
    return name


def port_of(text: str, *, least: int = 1) -> int:
    """The number of a TCP port. Raises AddressError."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not least <= int(text) <= LARGEST_PORT:
        raise AddressError(f"{_shown(text)} is no port from {least} to {LARGEST_PORT}")
    return int(text)


def without_password(text: str) -> str:
    """What may be shown of a text that may be a URL: without all between its slashes and the last @."""
    return re.sub(r"//.*@", "//", text, flags=re.DOTALL)


def _six(text: str) -> str:
    try:
        address, _, interface = text.replace("%25", "%", 1).partition("%")
        IPv6Address(address)
    except ValueError as error:
        raise AddressError(f"{_shown(text)} is no IPv6 address") from error
    if "%" in text and not re.fullmatch(r"[A-Za-z0-9._~-]+", interface):
        raise AddressError(f"{_shown(text)} names no interface")
    return f"{address}%{interface}" if interface else address


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refusal(base_url: str, why: str) -> AddressError:
    if "@" in base_url:
        # Whatever else is wrong with it: the reason may repeat a part of the password.
        why = "it cannot hold a user name or a password"
    return AddressError(f"{_shown(without_password(base_url))} is no base URL: {why}")


def _shown(text: str) -> str:
    """In quotes, in ASCII and on one line, whatever it is."""
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
