"""Where a server is, and how it is reached: one reading of a base URL and one way to connect, for everybody.

The floor under all others: it knows no server, no case and no load, and needs the standard library alone.
"""
