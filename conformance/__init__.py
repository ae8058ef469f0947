"""The HTTP contract as data, and the machinery that holds a server to it.

`cases` is the data; `checks`, `shapes` and `parity` are pure; `wire` speaks HTTP byte by byte; `runner`
joins them. Nothing here knows how a server is built: a base URL and a target id are enough, so a foreign
server is judged like our own.
"""
