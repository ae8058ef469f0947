"""The HTTP contract (docs/contract.md) as data, and the machinery that holds a server to it.

`cases` is the data; `checks`, `shapes` and `parity` are pure; `socket_connection` speaks HTTP byte by byte; `session`
asks one case and `examination` all of them; `finding` is what a run keeps of it. Nothing here knows how a server is
built: a base URL and a target id are enough, so a foreign server is judged like our own.
"""
