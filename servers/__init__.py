"""What is under test: the shared inference core, the framework adapters, and how a target is launched."""
