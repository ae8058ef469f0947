"""Where a server is, how it is reached and when its answers are alike: one reading of each, for everybody.

The floor under all others: it knows no server, no case and no load, and needs the standard library alone.
"""
