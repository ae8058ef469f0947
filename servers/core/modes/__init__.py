"""One execution mode a file, each with `build(source) -> Built`."""
