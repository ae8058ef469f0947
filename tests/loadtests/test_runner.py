"""A load shared out among generators."""

from __future__ import annotations

from loadtests.runner import split_load


def test_users_are_shared_out_whole() -> None:
    """Every user is one worker's, as evenly as they go, and no worker is left with none."""
    for users in (1, 2, 5, 16):
        for workers in (1, 2, 3):
            found = split_load(users, workers)
            numbers = [number for each in found for number in range(each.first, each.first + each.users)]
            assert numbers == list(range(users))
            assert len(found) == min(users, workers)
            assert max(each.users for each in found) - min(each.users for each in found) <= 1
