from __future__ import annotations

import pytest

from mlphonon.crystal.periodic_table import period_and_group


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (1, (1, 1)),
        (3, (2, 1)),
        (5, (2, 13)),
        (9, (2, 17)),
        (14, (3, 14)),
        (20, (4, 2)),
        (21, (4, 3)),
        (30, (4, 12)),
        (54, (5, 18)),
        (58, (6, 19)),
        (71, (6, 3)),
        (72, (6, 4)),
        (82, (6, 14)),
        (94, (7, 19)),
    ],
)
def test_places_in_the_periodic_table(number: int, place: tuple[int, int]) -> None:
    assert period_and_group(number) == place
