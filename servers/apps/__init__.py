"""One file a framework. An adapter translates routing, request and response, and nothing more."""
