"""The verbs of `bench.py`, one file each, and the joining of the parts. Nothing else may import from here.

Modules named as verbs are imported for `--help`, so they import nothing heavy at their top.
"""
