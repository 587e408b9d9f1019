"""Quality gates: the only home of Great Expectations."""
