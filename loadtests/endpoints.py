"""How each endpoint is loaded: in which encodings, with how many payloads, and how hard by each plan.

The list stands here once: a new endpoint is one entry more, and every plan that its entry names takes it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREDICT, CLASSIFY = "predict", "classify"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLoad:
    """One endpoint's load.

    `encodings` are how a payload travels, the usual one first. `payloads` is how many different ones there are, so that
    an answer kept in a cache is not what gets measured. By the name of a plan, `users` are the numbers of users of
    closed loops in the usual encoding, `also` the other encodings that it measures (at 16 users), and `rates_rps` the
    rates of Poisson processes.
    """

    encodings: tuple[str, ...]
    payloads: int
    users: Mapping[str, tuple[int, ...]]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rates_rps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


ENDPOINTS: Mapping[str, EndpointLoad] = {
    PREDICT: EndpointLoad(
        encodings=("json", "instances", "protobuf"),
        payloads=16,
        users={"smoke": (8,), "quick": (1, 4, 16), "standard": (1, 4, 16, 64), "full": (1, 2, 4, 8, 16, 32, 64)},
        also={"standard": ("instances", "protobuf"), "full": ("instances", "protobuf")},
        rates_rps={"full": (200,)},
    ),
    "advanced_predict": EndpointLoad(
        encodings=("json", "instances", "protobuf"),
        payloads=16,
        users={"quick": (16,), "standard": (1, 16), "full": (1, 4, 16, 64)},
        also={"full": ("instances", "protobuf")},
    ),
    # `form` is the article's own way for images, base64 in a urlencoded field: the one encoding that every target, the
    # native ones too, takes.
    CLASSIFY: EndpointLoad(
        encodings=("form", "json", "multipart", "raw"),
        payloads=8,
        users={"smoke": (8,), "quick": (1, 16), "standard": (1, 4, 16, 64), "full": (1, 2, 4, 8, 16, 32, 64)},
        also={"standard": ("json", "multipart", "raw"), "full": ("json", "multipart", "raw")},
        rates_rps={"full": (20,)},
    ),
}
