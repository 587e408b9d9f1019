"""Batch jobs, run by hand or by Airflow as processes."""
