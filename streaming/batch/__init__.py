"""Batch jobs, run by hand or by Airflow as processes."""

from tidemark.lazily import without_pandas

with without_pandas():  # a third of what a job takes to load, and most days need none
    import pyarrow.dataset  # noqa: F401
