"""Tidemark's shared library and command line: contracts, settings, ledger, proof, services.

Nothing here imports an engine: pyspark lives in `streaming`, airflow in `dags`, great_expectations in `expectations`.
"""

__version__ = "0.1.0"
