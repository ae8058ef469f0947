"""JPEGs that no usual encoder writes: random coefficients, coded by the book.

Any sampling factors, one scan or one for each channel, restarts, 16-bit quantizers, Huffman and arithmetic coding, and
any colour marks. Nothing is transformed: it does not matter what noise looks like, only that all decoders see one.

Source: ITU-T T.81, annexes A, B, D and F.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from conformance.fuzzing.mutate import chance
from conformance.recipes import segment

_STATES: Final = """
5a1d/1/1! 2586/14/2 1114/16/3 80b/18/4 3d8/20/5 1da/23/6 e5/25/7 6f/28/8 36/30/9 1a/33/10 d/35/11 6/9/12
3/10/13 1/12/13 5a7f/15/15! 3f25/36/16 2cf2/38/17 207c/39/18 17b9/40/19 1182/42/20 cef/43/21 9a1/45/22
72f/46/23 55c/48/24 406/49/25 303/51/26 240/52/27 1b1/54/28 144/56/29 f5/57/30 b7/59/31 8a/60/32 68/62/33
4e/63/34 3b/32/35 2c/33/9 5ae1/37/37! 484c/64/38 3a0d/65/39 2ef1/67/40 261f/68/41 1f33/69/42 19a8/70/43
1518/72/44 1177/73/45 e74/74/46 bfb/75/47 9f8/77/48 861/78/49 706/79/50 5cd/48/51 4de/50/52 40f/50/53
363/51/54 2d4/52/55 25c/53/56 1f8/54/57 1a4/55/58 160/56/59 125/57/60 f6/58/61 cb/59/62 ab/61/63 8f/61/32
5b12/65/65! 4d04/80/66 412c/81/67 37d8/82/68 2fe8/83/69 293c/84/70 2379/86/71 1edf/87/72 1aa9/87/73
174e/72/74 1424/72/75 119c/74/76 f6b/74/77 d51/75/78 bb6/77/79 a40/77/48 5832/80/81! 4d1c/88/82 438e/89/83
3bdd/90/84 34ee/91/85 2eae/92/86 299a/93/87 2516/86/71 5570/88/89! 4ca9/95/90 44d9/96/91 3e22/97/92
3824/99/93 32b4/99/94 2e17/93/86 56a8/95/96! 4f46/101/97 47e5/102/98 41cf/103/99 3c3d/104/100 375e/99/93
5231/105/102 4c0f/106/103 4639/107/104 415e/103/99 5627/105/106! 50e7/108/107 4b85/109/103 5597/110/109
504f/111/107 5a10/110/111! 5522/112/109 59eb/112/111!
"""
"""Table D.3: the size of the less likely bit, the state after it, that after the likely one; ! where the two change."""

_QE: Final = tuple(
    (int(size, 16), int(after_less), int(after_more.rstrip("!")), int(after_more.endswith("!")))
    for size, after_less, after_more in (state.split("/") for state in _STATES.split())
)

_Block = list[int]
"""64 coefficients in zigzag order."""


@dataclass(slots=True)
class _Huffman:
    """Flat tables: any 4 bits for a DC category, any 8 for a run and size; no code is all ones."""

    bits: list[str] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)

    def block(self, channel: int, block: _Block) -> None:
        """Section F.1.2."""
        difference = block[0] - self.last.get(channel, 0)
        self.last[channel] = block[0]
        self._value(f"{abs(difference).bit_length():04b}", difference)
        run = 0
        for value in block[1 : 1 + max((at for at in range(64) if block[at]), default=0)]:
            if not value:
                run += 1
                continue
            self.bits += ["11110000"] * (run // 16)
            self._value(f"{run % 16:04b}{abs(value).bit_length():04b}", value)
            run = 0
        if not block[63]:
            self.bits.append("00000000")

    def _value(self, code: str, value: int) -> None:
        size = abs(value).bit_length()
        self.bits.append(code)
        if size:
            self.bits.append(f"{value if value > 0 else value + 2**size - 1:0{size}b}")

    def finish(self) -> bytes:
        """Section F.1.2.3: ones fill the last byte."""
        bits = "".join(self.bits)
        bits += "1" * (-len(bits) % 8)
        self.bits, self.last = [], {}
        return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")


@dataclass(slots=True)
class _Arithmetic:
    """The QM coder with its default conditioning (L 0, U 1, Kx 5) and one table for each channel."""

    out: bytearray = field(default_factory=bytearray)
    interval: int = 0x10000
    code: int = 0
    stacked: int = 0
    left: int = 11
    estimates: dict[tuple[int, str, int], tuple[int, int]] = field(default_factory=dict)
    last: dict[int, tuple[int, int]] = field(default_factory=dict)

    def block(self, channel: int, block: _Block) -> None:
        """Sections F.1.4.1 and F.1.4.2."""
        before, context = self.last.get(channel, (0, 0))
        self.last[channel] = (block[0], self._dc(channel, block[0] - before, context))
        end = max((at for at in range(64) if block[at]), default=0)
        at = 0
        while at < end:
            self._bit(channel, "ac", 3 * at, 0)
            at += 1
            while not block[at]:
                self._bit(channel, "ac", 3 * at - 2, 0)
                at += 1
            self._bit(channel, "ac", 3 * at - 2, 1)
            self._bit(channel, "fixed", 0, int(block[at] < 0))
            first = 3 * at - 1
            self._magnitude(channel, "ac", abs(block[at]) - 1, (first, first, 189 if at <= 5 else 217))
        if at < 63:
            self._bit(channel, "ac", 3 * at, 1)

    def _dc(self, channel: int, difference: int, context: int) -> int:
        """Code a difference of DC values; the context of the next one."""
        self._bit(channel, "dc", context, int(difference != 0))
        if not difference:
            return 0
        self._bit(channel, "dc", context + 1, int(difference < 0))
        first = context + (3 if difference < 0 else 2)
        self._magnitude(channel, "dc", abs(difference) - 1, (first, 20, 21))
        return (8 if difference < 0 else 4) + (8 if abs(difference) > 2 else 0)

    def _magnitude(self, channel: int, kind: str, rest: int, contexts: tuple[int, int, int]) -> None:
        """Figures F.8 and F.9: how many bits the magnitude less one has, each in its own context, then these bits."""
        size = rest.bit_length()
        first, second, others = contexts
        places = [first, second, *range(others, others + 14)]
        for place in places[:size]:
            self._bit(channel, kind, place, 1)
        self._bit(channel, kind, places[size], 0)
        for shift in range(size - 2, -1, -1):
            self._bit(channel, kind, places[size] + 14, rest >> shift & 1)

    def _bit(self, channel: int, kind: str, place: int, bit: int) -> None:
        """Sections D.1.4 to D.1.6."""
        state, likely = self.estimates.get((channel, kind, place), (0, 0))
        size, after_less, after_more, switch = _QE[state]
        self.interval -= size
        less = bit != likely
        if not less and self.interval >= 0x8000:
            return
        # The larger part of the interval is the likely bit's, whichever of the two it is.
        if less == (self.interval >= size):
            self.code += self.interval
            self.interval = size
        if kind != "fixed":
            after = (after_less, likely ^ switch) if less else (after_more, likely)
            self.estimates[channel, kind, place] = after
        while self.interval < 0x8000:
            self.interval <<= 1
            self.code <<= 1
            self.left -= 1
            if not self.left:
                self._byte()
                self.left = 8

    def _byte(self) -> None:
        value = self.code >> 19
        self.code &= 0x7FFFF
        if value == 0xFF:
            self.stacked += 1
            return
        if value > 0xFF:
            self.out[-1] += 1
            if self.out[-1] == 0xFF:
                self.out.append(0)
        self.out += (b"\0" if value > 0xFF else b"\xff\0") * self.stacked
        self.stacked = 0
        self.out.append(value & 0xFF)

    def finish(self) -> bytes:
        """Section D.1.8, and a start afresh."""
        rounded = (self.code + self.interval - 1) & ~0xFFFF
        self.code = (rounded + 0x8000 if rounded < self.code else rounded) << self.left
        self._byte()
        self.code <<= 8
        self._byte()
        coded = bytes(self.out) + b"\xff\0" * self.stacked
        self.out, self.interval, self.code, self.stacked, self.left = bytearray(), 0x10000, 0, 0, 11
        self.estimates, self.last = {}, {}
        return coded


_Coder: TypeAlias = _Huffman | _Arithmetic
_NOT_DECODED: Final = ("12 bits", "two channels", "no whole parts", "lossless", "hierarchical")


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegCoding:
    """How a JPEG is coded. `factors` are across and down, for each channel; `restart` counts units, 0 is none.

    `joined` channels are in one scan, `wide` quantizers have 16 bits; `marker` 0 is the one that goes with the rest.
    """

    factors: tuple[tuple[int, int], ...]
    arithmetic: bool = False
    wide: bool = False
    restart: int = 0
    joined: bool = False
    bits: int = 8
    marker: int = 0
    names: bytes = b"\1\2\3\4"
    marks: bytes = b""


def coded_jpeg(random: Random, width: int, height: int) -> tuple[str, bytes]:
    """What it is in words, and its bytes."""
    odd = random.choice(_NOT_DECODED) if chance(random, 0.06) else ""
    channels = 2 if odd == "two channels" else random.choice((1, 3, 3, 4))
    factors = ((3, 1), (2, 1), (1, 1)) if odd == "no whole parts" else _factors(random, channels)
    channels = len(factors)
    colours, marks = _colour_marks(random, channels)
    kind = JpegCoding(
        factors=factors,
        arithmetic=chance(random, 0.35),
        wide=chance(random, 0.2),
        restart=random.choice((0, 0, 1, 3)),
        joined=channels > 1 and sum(across * down for across, down in factors) <= 10 and chance(random, 0.7),
        bits=12 if odd == "12 bits" else 8,
        marker={"lossless": 0xC3, "hierarchical": 0xC5}.get(odd, 0),
        names=random.choice((b"\1\2\3\4", b"\0\1\2\3", b"RGBK")),
        marks=marks,
    )
    told = f"JPEG of {channels} channels {factors}, {'arithmetic' if kind.arithmetic else 'Huffman'}"
    told += (
        f"{', joined' if kind.joined else ''}, restart {kind.restart}, names {kind.names[:channels].hex()}, {colours}"
    )
    return f"{told}{', ' + odd if odd else ''}", coded(random, (width, height), kind)


def coded(random: Random, sides: tuple[int, int], kind: JpegCoding) -> bytes:
    """A JPEG of noise, of this width and height."""
    width, height = sides
    channels = len(kind.factors)
    steps = [random.randint(1, 24) for _ in range(64)]
    tables = segment(0xDB, b"\x10" + struct.pack(">64H", *steps) if kind.wide else b"\0" + bytes(steps))
    if not kind.arithmetic:
        codes = (0, 0, 0, 0, 12, *bytes(12), *range(12)), (16, *bytes(7), 255, *bytes(8), *range(255))
        tables += b"".join(segment(0xC4, bytes(each)) for each in codes)
    if kind.restart:
        tables += segment(0xDD, struct.pack(">H", kind.restart))
    marker = kind.marker or (0xC9 if kind.arithmetic else 0xC1 if kind.wide or kind.bits > 8 else 0xC0)
    frame = struct.pack(">BHHB", kind.bits, height, width, channels) + b"".join(
        bytes((name, across << 4 | down, 0)) for name, (across, down) in zip(kind.names, kind.factors, strict=False)
    )
    scans = [tuple(range(channels))] if kind.joined or channels == 1 else [(at,) for at in range(channels)]
    coder: _Coder = _Arithmetic() if kind.arithmetic else _Huffman()
    data = b""
    for scan in scans:
        named = b"".join(bytes((kind.names[at], at << 4 | at if kind.arithmetic else 0)) for at in scan)
        data += segment(0xDA, bytes((len(scan),)) + named + b"\0\x3f\0")
        data += _coded(random, coder, _units(scan, kind.factors, width, height), kind.restart)
    return b"\xff\xd8" + kind.marks + tables + segment(marker, frame) + data + b"\xff\xd9"


def _factors(random: Random, channels: int) -> tuple[tuple[int, int], ...]:
    """Sampling factors, each a whole part of the largest."""
    largest = (random.choice((1, 1, 2, 2, 3, 4)), random.choice((1, 1, 2, 3, 4)))
    whole = {1: (1,), 2: (1, 2), 3: (1, 3), 4: (1, 2, 4)}
    others = [(random.choice(whole[largest[0]]), random.choice(whole[largest[1]])) for _ in range(channels - 1)]
    return (largest, *others) if chance(random, 0.8) else (*others, largest)


def _colour_marks(random: Random, channels: int) -> tuple[str, bytes]:
    """What says how the channels are meant: nothing, JFIF, or Adobe's mark with its transform."""
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    transforms = {1: (0,), 3: (0, 1), 4: (0, 2)}.get(channels, ())
    adobe = [(f"Adobe {one}", segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes((one,)))) for one in transforms]
    return random.choice([("no mark", b""), *([("JFIF", jfif)] if channels in (1, 3) else []), *adobe])


def _units(scan: tuple[int, ...], factors: tuple[tuple[int, int], ...], width: int, height: int) -> list[list[int]]:
    """The channel of each block, a list for each minimum coded unit (section A.2)."""
    most_across, most_down = max(one for one, _ in factors), max(one for _, one in factors)
    if len(scan) == 1:
        across, down = factors[scan[0]]
        columns, rows = -(-width * across // most_across), -(-height * down // most_down)
        return [[scan[0]] for _ in range(-(-columns // 8) * -(-rows // 8))]
    unit = [at for at in scan for _ in range(factors[at][0] * factors[at][1])]
    return [unit for _ in range(-(-width // (8 * most_across)) * -(-height // (8 * most_down)))]


def _coded(random: Random, coder: _Coder, units: list[list[int]], restart: int) -> bytes:
    data = b""
    for number, unit in enumerate(units):
        if restart and number and number % restart == 0:
            data += coder.finish() + bytes((0xFF, 0xD0 + (number // restart - 1) % 8))
        for channel in unit:
            coder.block(channel, _noise(random))
    return data + coder.finish()


def _noise(random: Random) -> _Block:
    block = [random.randint(-30, 30)] + [0] * 63
    for _ in range(random.choice((0, 1, 3, 6))):
        block[random.choice((1, 2, 3, 5, 8, 17, 40, 63))] = random.choice((-7, -2, -1, 1, 2, 3, 12))
    return block
