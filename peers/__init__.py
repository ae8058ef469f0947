"""Servers of another make beside ours, measured by the same generator on the same core with the same SavedModels.

`compare.py` starts and measures; every other file is one peer, written as its own users would write it. Needs the
dependency group `peers`; nothing else in the repository does.
"""
