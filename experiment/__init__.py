"""What a run is: its plan, who takes part, blocks of fresh processes, the gate, the trials, and the journal of it all.

The only place, beside the commands, that joins `servers`, `conformance` and `loadtests`.
"""
