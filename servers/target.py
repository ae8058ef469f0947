"""A target: one thing under test, `framework+server+mode+device`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servers.registry import DEVICES, FRAMEWORKS, MODES, Framework
from servers.web_servers import DEV, SERVERS

CPU_ONLY: Final = ("lite",)
"""Modes that never run on a GPU: LiteRT computes on the CPU unless given a delegate, and has none for CUDA."""

_DEFAULTS: Final = ("", "gunicorn", "function", "cpu")


class TargetError(ValueError):
    """A target id that names no target; the message says what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Framework, WSGI server, execution mode and device of one thing under test."""

    framework: str
    server: str
    mode: str
    device: str

    @classmethod
    def parse(cls, text: str) -> Target:
        """The target that `text` names; trailing parts may be left out. Raises TargetError."""
        named = text.strip().split("+")
        if not 1 <= len(named) <= len(_DEFAULTS):
            raise TargetError(f"{text!r} is not framework+server+mode+device")
        framework, server, mode, device = (*named, *_DEFAULTS[len(named) :])
        for part, value, known in (
            ("framework", framework, FRAMEWORKS),
            ("server", server, SERVERS),
            ("mode", mode, MODES),
            ("device", device, DEVICES),
        ):
            if value not in known:
                raise TargetError(f"{value!r} in {text!r} is no {part}; there are {', '.join(sorted(known))}")
        target = cls(framework=framework, server=server, mode=mode, device=device)
        if not FRAMEWORKS[framework].contract and (mode, device) != _DEFAULTS[2:]:
            raise TargetError(f"{framework} comes as it is: it has no mode but function and no device but cpu")
        if device == "gpu" and mode in CPU_ONLY:
            others = ", ".join(name for name in MODES if name not in CPU_ONLY)
            raise TargetError(f"mode {mode} in {text!r} runs on the cpu alone; device gpu goes with {others}")
        if server == DEV and not FRAMEWORKS[framework].native:
            raise TargetError(
                f"server dev is the framework's own development server, for native targets: not {framework}"
            )
        return target

    @property
    def id(self) -> str:
        """All four parts, joined."""
        return "+".join(self.parts.values())

    @property
    def parts(self) -> dict[str, str]:
        """The four parts by name."""
        return {"framework": self.framework, "server": self.server, "mode": self.mode, "device": self.device}

    @property
    def kind(self) -> Framework:
        """The adapter."""
        return FRAMEWORKS[self.framework]


def grid() -> tuple[Target, ...]:
    """Every target there is."""
    found = []
    for framework in FRAMEWORKS:
        for server in SERVERS:
            for mode in MODES:
                for device in DEVICES:
                    try:
                        found.append(Target.parse(f"{framework}+{server}+{mode}+{device}"))
                    except TargetError:
                        continue
    return tuple(found)
