"""What a WSGI server decides by itself, so that no application on it can be right.

Each entry is shown by a test in which an application writes down what it was given. Whatever else a target does
otherwise than a case asks is the target's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_CUT: Final = "granian ends a chunked body that breaks off as if it were whole"


HIDDEN: Final[Mapping[str, Mapping[str, str]]] = {
    "waitress": {
        "connection-after-options": "waitress closes after a 204 without saying so, since it has no Content-Length",
    },
    "granian": {
        "body-cut-chunks": _CUT,
        "length-chunk-cut": _CUT,
        "length-chunk-size-letters": "granian ends a chunked body at a chunk that is none, as if it were whole",
        "head-fragment": "granian cuts the fragment off and hands on no target as it came",
        "head-two-content-types": "granian hands on the last Content-Type of several and not that there were more",
    },
}
"""By server and conformance case: what the server does."""
