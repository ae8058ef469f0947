"""What the defaults of `servers/settings.py` rest on: one target beside itself under other settings.

`python -m tuning.threads` measures; a default that it cannot defend on a quiet machine is to be changed.
"""
