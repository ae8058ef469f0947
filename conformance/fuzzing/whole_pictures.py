"""Whole pictures of every kind, and two decoders held against each other: ours, and one that reads them all.

Each picture keeps its standard. So either both decoders give the same levels, or ours says of which kind the picture is
that it does not decode; "damaged" is never right.
"""

from __future__ import annotations

import io
import multiprocessing
import signal
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.fuzzing.jpeg_coding import coded_jpeg
from conformance.fuzzing.mutate import chance
from conformance.recipes import png_file, segment

Decoder: TypeAlias = Callable[[bytes, int, int], "NDArray[np.uint8] | str"]
"""The levels [height, width, 3] of a picture of this width and height, or the reason of a refusal."""

MOST_LEVELS: Final = 1
"""How far two decoders may be apart: they round a level differently where they turn colours or undo a transform."""

_SLICE: Final = 100
_DAMAGED: Final = ("damaged", "cut short")
_PNG_KINDS: Final = ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16)))
_EXIF: Final = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePicture:
    """One file; `kind` says in words what it is."""

    kind: str
    data: bytes
    width: int
    height: int


@dataclass(slots=True, kw_only=True)
class PictureTally:
    """A run so far: how many were decoded alike, which kinds both refused, and the faults, each with its number."""

    pictures: int = 0
    alike: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def merge(self, other: PictureTally) -> None:
        """Take in another part of the same run."""
        self.pictures += other.pictures
        self.alike += other.alike
        self.refused += other.refused
        self.faults += other.faults


def run_all(
    make: Callable[[], tuple[Decoder, Decoder]],
    *,
    seed: int,
    pictures: int,
    jobs: int,
    told: Callable[[PictureTally], None],
) -> PictureTally:
    """All pictures, in `jobs` processes of their own; each calls `make` once for our decoder and the other."""
    whole = PictureTally()
    parts = [(seed, range(first, min(first + _SLICE, pictures))) for first in range(0, pictures, _SLICE)]
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(parts)), initializer=_load, initargs=(make,)) as pool:
        for part in pool.imap_unordered(_slice, parts):
            whole.merge(part)
            told(whole)
    return whole


_decoders: list[tuple[Decoder, Decoder]] = []


def _load(make: Callable[[], tuple[Decoder, Decoder]]) -> None:
    # Ctrl-C goes to the whole group; the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _decoders.append(make())


def _slice(part: tuple[int, range]) -> PictureTally:
    ours, theirs = _decoders[0]
    return run(ours, theirs, seed=part[0], numbers=part[1])


def run(ours: Decoder, theirs: Decoder, *, seed: int, numbers: range) -> PictureTally:
    """Decode these pictures of a seed in both ways."""
    tally = PictureTally()
    for number in numbers:
        picture = at(seed, number)
        tally.pictures += 1
        fault = judged(picture, ours, theirs, tally)
        if fault is not None:
            tally.faults.append(f"picture {number} of seed {seed}, {picture.kind}: {fault}")
    return tally


def judged(picture: WholePicture, ours: Decoder, theirs: Decoder, tally: PictureTally) -> str | None:
    """What is wrong with our decoder's answer, if anything."""
    mine = ours(picture.data, picture.width, picture.height)
    other = theirs(picture.data, picture.width, picture.height)
    if isinstance(mine, str):
        if not isinstance(other, str):
            return f"refused ({mine}), and it can be decoded"
        if any(word in mine for word in _DAMAGED):
            return f"a whole picture is called damaged ({mine}; of the other: {other})"
        tally.refused[mine] += 1
        return None
    if isinstance(other, str):
        return f"decoded, and the other refuses it ({other})"
    if mine.shape != other.shape:
        return f"of the shape {mine.shape}, not {other.shape}"
    apart = int(np.abs(mine.astype(np.int16) - other).max())
    if apart > MOST_LEVELS:
        return f"{apart} levels apart"
    tally.alike[apart] += 1
    return None


def at(seed: int, number: int) -> WholePicture:
    """Picture number `number` of a run with this seed."""
    random = Random(seed << 40 | number)  # noqa: S311 - test data, to be drawn again
    return _png(random) if chance(random, 0.5) else _jpeg(random)


def _png(random: Random) -> WholePicture:
    colour, depths = random.choice(_PNG_KINDS)
    depth = random.choice(depths)
    width, height = random.randint(1, 24), random.randint(1, 24)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    entries = random.randint(1, 2**depth) if colour == 3 else 0
    top = entries - 1 if colour == 3 else 2**depth - 1
    rows = [[random.randint(0, top) for _ in range(width * channels)] for _ in range(height)]
    interlaced = chance(random, 0.4)
    early, late, behind = _beside(random, colour, depth, entries, (width, height))
    palette = (
        [(b"PLTE", random.randbytes(3 * (entries or 5)))] if colour == 3 or (colour & 2 and chance(random, 0.2)) else []
    )
    data = png_file(
        rows,
        colour=colour,
        depth=depth,
        interlaced=interlaced,
        beside=(*early, *palette, *late),
        pieces=random.choice((1, 1, 2, 5)),
        filters=tuple(random.choices(range(5), k=random.randint(1, 5))),
        behind=tuple(behind),
    )
    if chance(random, 0.1):
        data += random.randbytes(random.randint(1, 40))
    named = " ".join(chunk.decode() for chunk, _ in (*early, *late, *behind))
    kind = f"PNG of colour type {colour}, {depth} bits{', interlaced' if interlaced else ''}, {named or 'bare'}"
    return WholePicture(kind=kind, data=data, width=width, height=height)


_Chunks: TypeAlias = list[tuple[bytes, bytes]]


def _beside(
    random: Random, colour: int, depth: int, entries: int, sides: tuple[int, int]
) -> tuple[_Chunks, _Chunks, _Chunks]:
    """Chunks that change no pixel: those before a palette, those after it, and those behind the pixels."""
    width, height = sides
    samples = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[colour]
    frame = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0)
    early: _Chunks = [
        (b"gAMA", struct.pack(">I", random.choice((45455, 100000, 22727, 1000)))),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        (b"sRGB", bytes([random.randint(0, 3)])),
        (b"iCCP", b"p\0\0" + zlib.compress(random.choice((b"no profile", bytes(3_000_000))))),
        (b"sBIT", bytes([random.randint(1, 8 if colour == 3 else depth)]) * samples),
        (b"pHYs", struct.pack(">IIB", 2835, random.choice((2835, 9999)), 1)),
        (b"tIME", struct.pack(">HBBBBB", 2026, 2, 28, 1, 2, 3)),
        (b"tEXt", b"Title\0" + b"x" * random.choice((0, 9, 70_000))),
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(random.choice((3, 2_000_000))))),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
        (b"eXIf", _EXIF[6:] % random.randint(1, 8)),
        (b"sPLT", b"p\0\x08" + bytes(6)),
        (b"teSt", b"private"),
        (b"cICP", bytes((1, 13, 0, 1))),
    ]
    late: _Chunks = [
        (b"bKGD", {3: bytes(1), 0: bytes(2), 4: bytes(2), 2: bytes(6), 6: bytes(6)}[colour]),
        (b"acTL", struct.pack(">II", 2, 0)),
    ]
    if colour in (0, 2):
        values = [random.randint(0, 2**depth - 1) for _ in range(samples)]
        late.append((b"tRNS", struct.pack(f">{samples}H", *values)))
    if colour == 3:
        late += [(b"tRNS", random.randbytes(random.randint(1, entries))), (b"hIST", bytes(2 * entries))]
    few = 0.5 * random.random()
    chosen = [[chunk for chunk in chunks if chance(random, few)] for chunks in (early, late)]
    behind: _Chunks = []
    if any(kind == b"acTL" for kind, _ in chosen[1]):
        # Of two frames the first may be the still picture, or both come behind it.
        if chance(random, 0.5):
            chosen[1].append((b"fcTL", frame))
        behind = [
            (b"fcTL", struct.pack(">I", 1) + frame[4:]),
            (b"fdAT", struct.pack(">I", 2) + zlib.compress(random.randbytes(30))),
        ]
    if any(kind == b"iCCP" for kind, _ in chosen[0]):
        chosen[0] = [chunk for chunk in chosen[0] if chunk[0] != b"sRGB"]
    return chosen[0], chosen[1], behind


def _jpeg(random: Random) -> WholePicture:
    width, height = random.randint(1, 40), random.randint(1, 40)
    if chance(random, 0.5):
        kind, data = coded_jpeg(random, width, height)
    else:
        kind, data = _by_pillow(random, width, height)
    added = _segments(random) if chance(random, 0.5) else []
    data = data[:2] + b"".join(segment(marker, content) for marker, content in added) + data[2:]
    if chance(random, 0.1):
        data += random.randbytes(random.randint(1, 40))
    words = " ".join(f"{marker:02X}" for marker, _ in added)
    return WholePicture(kind=f"{kind}, {words or 'bare'}", data=data, width=width, height=height)


def _segments(random: Random) -> list[tuple[int, bytes]]:
    """Segments that change no pixel."""
    offered = (
        (0xE1, _EXIF % random.randint(1, 8)),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        (0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(random.choice((3, 60_000)))),
        # The index of a file of several pictures (MPO), which Pillow would read, here with nothing in it.
        (0xE2, b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x00\0\x07\0\0\0\x040100\0\0\0\0"),
        (0xED, b"Photoshop 3.0\x00"),
        (0xFE, b"a comment \xe9"),
        (0xEF, bytes(9)),
    )
    return random.sample(offered, random.randint(1, 4))


def _by_pillow(random: Random, width: int, height: int) -> tuple[str, bytes]:
    from PIL import Image  # noqa: PLC0415 - as in the recipes

    mode = random.choice(("L", "RGB", "RGB", "CMYK"))
    channels = len(mode)
    rough = bytes(random.choice((0, 40, 128, 200, 255)) for _ in range(9 * channels))
    image = Image.frombytes(mode, (3, 3), rough).resize((width, height), Image.Resampling.BICUBIC)
    how: dict[str, Any] = {
        "quality": random.choice((5, 50, 75, 95, 100)),
        "progressive": chance(random, 0.5),
        "optimize": chance(random, 0.5),
    }
    if mode == "RGB":
        how |= {"subsampling": random.randint(0, 2)} if chance(random, 0.7) else {"keep_rgb": True}
    if chance(random, 0.3):
        how["restart_marker_blocks"] = random.randint(1, 5)
    sink = io.BytesIO()
    image.save(sink, format="JPEG", **how)
    return f"JPEG by Pillow, {mode}, " + ", ".join(f"{name} {value}" for name, value in how.items()), sink.getvalue()
