"""The core with no server: decode a picture, predict its class, over and over, as `calibrate --against core` asks.

    python -m servers.bare_core MODE

It says `ready` once its models are warm, then answers each line `SECONDS` on its input with a line of JSON: how many
pictures it classified and how long that took. As in a slice of the generator, a first round is not counted. The end of
its input ends it.
"""

from __future__ import annotations

import base64
import itertools
import json
import sys
import time
from typing import Final

import numpy as np

from servers.core.images import decode_image
from servers.core.loading import load
from servers.models.payloads import payloads
from servers.settings import Settings

_MODEL: Final = "digits_cnn"
_FIRST_ROUND: Final = 16
"""Pictures before the clock starts: what another process has left in the caches is gone by then."""


class WrongClassError(AssertionError):
    """The loop answers otherwise than the reference, so its speed means nothing."""


def main(mode: str) -> None:
    """Load, then run the loop whenever asked."""
    _, settings = Settings.from_environment()
    loaded = load(
        mode=mode,
        device="cpu",
        folder=settings.models_dir,
        intra=settings.intra_threads,
        inter=settings.inter_threads,
    )
    predict = loaded.predictors[_MODEL]

    def classify(picture: bytes) -> int:
        return int(np.argmax(predict(decode_image(picture, resize=loaded.resize)[np.newaxis])[0]))

    asked = payloads("classify", "json")
    pictures = [base64.b64decode(json.loads(payload.body)["image"]) for payload in asked]
    for picture, payload in zip(pictures, asked, strict=True):
        if classify(picture) != payload.expected:
            raise WrongClassError(payload.name)
    print("ready", flush=True)
    endless = itertools.cycle(pictures)
    for line in sys.stdin:
        for _ in range(_FIRST_ROUND):
            classify(next(endless))
        started = now = time.perf_counter()
        end = started + float(line)
        count = 0
        while now < end:
            classify(next(endless))
            count += 1
            now = time.perf_counter()
        print(json.dumps({"count": count, "took_s": now - started}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
