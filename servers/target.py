"""A target: one thing under test, `framework+server+mode+device`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servers.registry import DEVICES, FRAMEWORKS, MODES, Framework
from servers.web_servers import DEV, INTERFACES, SERVERS

_DEFAULT_SERVERS: Final = {"wsgi": "gunicorn", "asgi": "uvicorn"}
_DEFAULTS: Final = ("function", "cpu")


class TargetError(ValueError):
    """A target id that names no target; the message says what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Framework, server, execution mode and device of one thing under test."""

    framework: str
    server: str
    mode: str
    device: str

    @classmethod
    def parse(cls, text: str) -> Target:
        """The target that `text` names; trailing parts may be left out. Raises TargetError."""
        named = text.strip().split("+")
        if not 1 <= len(named) <= 4:
            raise TargetError(f"{text!r} is not framework+server+mode+device")
        adapter = FRAMEWORKS.get(named[0])
        usual = ("", _DEFAULT_SERVERS[adapter.interface if adapter else "wsgi"], *_DEFAULTS)
        framework, server, mode, device = (*named, *usual[len(named) :])
        for part, value, known in (
            ("framework", framework, FRAMEWORKS),
            ("server", server, SERVERS),
            ("mode", mode, MODES),
            ("device", device, DEVICES),
        ):
            if value not in known:
                where = "" if value == text else f" in {text!r}"
                raise TargetError(f"unknown {part} {value!r}{where}; choose from {', '.join(sorted(known))}")
        target = cls(framework=framework, server=server, mode=mode, device=device)
        if INTERFACES[server] != target.kind.interface:
            others = ", ".join(name for name, one in INTERFACES.items() if one == target.kind.interface)
            raise TargetError(
                f"{framework} speaks {target.kind.interface.upper()}, which server {server} in {text!r} does not:"
                f" it runs on {others}"
            )
        if not target.kind.contract and (mode, device) != _DEFAULTS:
            raise TargetError(f"{framework} comes as it is: it has no mode but function and no device but cpu")
        if device not in MODES[mode].devices:
            only, others = (
                MODES[mode].devices[0],
                ", ".join(name for name, one in MODES.items() if device in one.devices),
            )
            raise TargetError(f"mode {mode} in {text!r} runs on the {only} alone; device {device} goes with {others}")
        if server == DEV and not target.kind.native:
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

    @property
    def usual(self) -> bool:
        """Whether server, mode and device are what stands for parts that are left out."""
        return self == Target.parse(self.framework)

    @property
    def lacks(self) -> str | None:
        """The reason why it cannot run in this environment, a package that is missing; None where it can."""
        return self.kind.lacks or MODES[self.mode].lacks


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
