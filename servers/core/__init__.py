"""Framework-free inference: contract, codec, images, models, execution modes.

It does not know which framework asks, and it opens no socket. So nothing here can favour one adapter.
"""
