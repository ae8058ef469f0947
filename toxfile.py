"""A plugin of this project's tox: environments whose name has two Pythons in it, which tox would refuse."""

from __future__ import annotations

from tox.plugin import impl
from tox.tox_env.register import ToxEnvRegister
from tox_uv._run_lock import UvVenvLockRunner


class TwoPythonsRunner(UvVenvLockRunner):
    """The runner of `speed-py311-py313`: the harness has one Python, and its command makes what it compares."""

    @staticmethod
    def id() -> str:
        """The name that tox.ini has for it."""
        return "two-pythons"

    @classmethod
    def extract_base_python(cls, env_name: str) -> None:
        """No Python is asked for by this environment's name."""
        del env_name


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Offer it to tox.ini."""
    register.add_run_env(TwoPythonsRunner)
