"""One HTTP request as the core sees it, framework and socket removed."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

from servers.core.reply import ApiError, unsupported_media_type

_OWS: Final = " \t"
_ENCODINGS: Final = {"": None, "identity": None, "gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""Content codings, with the window bits that zlib takes them by; None where nothing is to be unpacked."""
_PARAMETER: Final = re.compile(r'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^;\s"]*)[ \t]*\Z')


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """A parsed Content-Type (RFC 9110 section 8.3): `essence` in lower case, parameters by lower-case name."""

    essence: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Method, headers that matter, and the whole body.

    `fault` is what the middleware found wrong with the body. It is raised only when an endpoint reads the body, because
    the contract puts 404 and 405 before 413 and 400, and those the framework's router decides.
    `inference_header_length` is the header of that name of the Open Inference Protocol: where binary tensors begin.
    """

    method: str
    content_type: str
    content_encoding: str
    body: bytes
    fault: ApiError | None = None
    inference_header_length: str = ""

    def open(self, accepted: tuple[str, ...]) -> tuple[MediaType, bytes]:
        """The media type, one of `accepted`, and the body; raises ApiError in the contract's order 413, 415, 400.

        An encoded body (Content-Encoding) is refused as a media type is, and so is a charset other than UTF-8 on JSON,
        whose bytes are UTF-8 by definition.
        """
        if self.fault is not None and self.fault.status == 413:
            raise self.fault
        if self.content_type in accepted and not self.content_encoding:
            media = MediaType(essence=self.content_type, parameters={})
        else:
            media = self._negotiated(accepted)
        if self.fault is not None:
            raise self.fault
        return media, self.body

    def opened(self, most_bytes: int) -> bytes:
        """The body for protocols that ask for no media type, unpacked; raises ApiError in the order 413, 415, 400.

        `gzip` and `deflate` (RFC 9110 section 8.4.1) are unpacked to `most_bytes` at most.
        """
        encoding = self.content_encoding.strip(_OWS).lower()
        if self.fault is not None and (self.fault.status == 413 or encoding in _ENCODINGS):
            raise self.fault
        if encoding not in _ENCODINGS:
            raise ApiError(
                status=415,
                code="unsupported_media_type",
                text="Supported content codings: deflate, gzip, identity",
                headers=(("Accept-Encoding", "deflate, gzip, identity"),),
            )
        bits = _ENCODINGS[encoding]
        return self.body if bits is None else _unpacked(self.body, bits, most_bytes)

    def _negotiated(self, accepted: tuple[str, ...]) -> MediaType:
        accept = ", ".join(accepted)
        media = media_type(self.content_type, accept)
        encoded = self.content_encoding.strip(_OWS).lower() not in ("", "identity")
        charset = media.parameters.get("charset", "utf-8").lower()
        foreign = charset != "utf-8" and media.essence == "application/json"
        if media.essence not in accepted or encoded or foreign:
            raise unsupported_media_type(accept)
        return media


def _unpacked(body: bytes, bits: int, most_bytes: int) -> bytes:
    unpacking = zlib.decompressobj(bits)
    try:
        whole = unpacking.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise _packed_wrongly() from error
    if len(whole) > most_bytes:
        raise ApiError(status=413, code="body_too_large", text=f"The unpacked body is over {most_bytes} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise _packed_wrongly()
    return whole


def _packed_wrongly() -> ApiError:
    return ApiError(status=400, code="incomplete_body", text="The body is not what its content coding says")


def media_type(header: str, accept: str) -> MediaType:
    """The Content-Type of a request; raises 415 with `accept` where the header is not one media type.

    Empty parameters are legal and ignored (RFC 9110 section 5.6.6).
    """
    essence, _, rest = header.partition(";")
    essence = essence.strip(_OWS).lower()
    parameters: dict[str, str] = {}
    # A quoted ";" may stand in a boundary; splitting only outside quotes keeps it whole.
    for part in re.findall(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+', rest):
        if not part.strip(_OWS):
            continue
        match = _PARAMETER.match(part)
        if match is None:
            raise unsupported_media_type(accept)
        name, value = match[1].lower(), match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        parameters.setdefault(name, value)
    return MediaType(essence=essence, parameters=parameters)
