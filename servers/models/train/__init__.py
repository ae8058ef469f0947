"""Draws the committed data sets and trains the committed weights; serving needs nothing of it."""
