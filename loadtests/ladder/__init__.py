"""The in-process ladder: what a request costs on each rung, timed side by side and kept in pytest-benchmark's JSON.

It knows the rungs only as a module that is named to it (`[tool.titrate] ladder` in pyproject.toml, or `--ladder-rungs`)
and that gives plain data and callables; see `provided.py` for what that module must have.
"""
