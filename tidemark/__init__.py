"""Tidemark's shared library and command line: contracts, settings, ledger, proof, services.

Nothing here imports an engine (pyspark, airflow, great_expectations): those live in `streaming`, `dags`, `expectations`.
"""

__version__ = "0.1.0"
