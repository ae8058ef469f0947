"""The commands of `bench.py`, one file each, and what they share: options, exits, terminal.

Nothing else imports from here. What is named as a command is imported for `--help`, so it imports nothing
heavy at its top.
"""
