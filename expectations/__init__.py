"""Quality gates: the only home of Great Expectations."""

from tidemark.lazily import load_at_first_use

# Great Expectations imports them for the divergence of two distributions, and for charts of an expectation's result.
UNUSED = frozenset({"scipy.stats", "altair"})

load_at_first_use(UNUSED)  # three tenths of what a gate takes to load
