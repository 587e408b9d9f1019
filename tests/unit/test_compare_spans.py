"""Spans are cut into chunks without loss, and no bucket is torn."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemark.spans import BUCKET, Layout, Span, chunks, runs

pytestmark = pytest.mark.unit

PATIENT = settings(deadline=None)  # a busy machine is no failure

SPANS = st.lists(
    st.builds(
        lambda part, start, size: Span(part, start, start + size),
        st.integers(0, 30),
        st.integers(0, 400_000),
        st.integers(0, 700_000),
    ),
    max_size=12,
    unique_by=lambda span: span.partition,
)


@PATIENT
@given(SPANS, st.integers(1, 1_000_000))
def test_chunks_hold_every_offset_once_and_in_order(spans: list[Span], size: int) -> None:
    pieces = [piece for chunk in chunks(spans, size) for piece in chunk]
    for span in spans:
        own = [piece for piece in pieces if piece.partition == span.partition]
        assert sum(map(len, own)) == len(span)
        assert all(one.end == other.start for one, other in pairwise(own))
        assert not own or (own[0].start, own[-1].end) == (span.start, span.end)


@PATIENT
@given(SPANS, st.integers(1, 1_000_000))
def test_chunks_are_bounded_and_tear_no_bucket(spans: list[Span], size: int) -> None:
    for chunk in chunks(spans, size):
        assert len({piece.partition for piece in chunk}) == len(chunk)
        assert sum(map(len, chunk)) <= max(size, BUCKET) + BUCKET
        ends = {span.partition: span.end for span in spans}
        assert all(piece.end % BUCKET == 0 or piece.end == ends[piece.partition] for piece in chunk)


def test_a_thousand_partitions_are_no_more_memory_than_one() -> None:
    spans = [Span(part, 0, 100_000) for part in range(1000)]
    assert max(sum(map(len, chunk)) for chunk in chunks(spans, 4_000_000)) <= 4_000_000


@PATIENT
@given(SPANS)
def test_a_layout_gives_every_offset_a_place_of_its_own(spans: list[Span]) -> None:
    small = [Span(span.partition, span.start, min(span.end, span.start + 5)) for span in spans]
    layout = Layout(small)
    taken = []
    for span, part in layout.slices:
        partitions, offsets = np.full(9, span.partition), np.arange(span.start - 2, span.start + 7)
        inside = layout.inside(partitions, offsets)
        assert offsets[inside].tolist() == list(range(span.start, span.end))
        places = layout.places(partitions[inside], offsets[inside]).tolist()
        assert places == list(range(part.start, part.stop))
        taken += places
    assert taken == list(range(layout.size))


def test_positions_of_unknown_partitions_are_outside() -> None:
    layout = Layout([Span(2, 0, 10)])
    assert layout.inside(np.array([-1, 0, 2, 3, 1000]), np.array([5, 0, 5, 5, 5])).tolist() == [0, 0, 1, 0, 0]
    assert not Layout([]).inside(np.array([0, 1]), np.array([0, 0])).any()


@PATIENT
@given(st.lists(st.booleans()))
def test_runs_are_where_the_mask_is_true(mask: list[bool]) -> None:
    found = runs(np.array(mask, np.bool_)).tolist()
    assert [place for start, end in found for place in range(start, end)] == [
        at for at, is_set in enumerate(mask) if is_set
    ]
    assert all(end < start for (_, end), (start, _) in pairwise(found))
