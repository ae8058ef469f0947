"""What was measured, judged and drawn: the run folder's reader, its statistics and its pages."""
