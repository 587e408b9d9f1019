"""The newest records of a topic are spread over its partitions."""

import pytest

from streaming.batch.try_contract import newest_ranges
from tidemark.topics import Bounds

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("bounds", "wanted", "due"),
    [
        ({0: (0, 100), 1: (50, 100)}, 20, {0: (90, 100), 1: (90, 100)}),
        ({0: (0, 100), 1: (97, 100), 2: (7, 7)}, 20, {0: (83, 100), 1: (97, 100), 2: (7, 7)}),
        ({0: (0, 5), 1: (0, 5)}, 20, {0: (0, 5), 1: (0, 5)}),
        ({0: (0, 5), 1: (0, 5)}, 1, {0: (4, 5), 1: (5, 5)}),
    ],
)
def test_each_partition_gives_its_newest_and_a_short_one_leaves_its_share_to_others(
    bounds: dict[int, tuple[int, int]], wanted: int, due: dict[int, tuple[int, int]]
) -> None:
    # Beyond the last stable offset nothing is decided
    known = {partition: Bounds(low, stable, stable + 9) for partition, (low, stable) in bounds.items()}
    assert newest_ranges(known, wanted) == due
