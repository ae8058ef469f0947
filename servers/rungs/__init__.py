"""One request cut at its seams, each piece callable from outside: what the ladder times and what Callgrind counts.

`provider` hands the pieces over by name, as plain data and callables, so that whoever measures knows nothing of them.
"""
