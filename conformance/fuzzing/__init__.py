"""Generated requests: Schemathesis on the OpenAPI document, and the frameworks against each other on the same bytes.

`conformance` says what is right in named cases; here requests are drawn until something else is found, and what is
found becomes a named case. Nothing here knows how a server is built: callables and base URLs are enough.
"""
