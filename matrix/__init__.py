"""The matrix of versions: what each environment of it found, the table of all, and the speed of one against another."""
