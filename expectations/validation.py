"""One validation by Great Expectations: a table's rows against its suite."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from great_expectations.checkpoint.checkpoint import Checkpoint
from great_expectations.compatibility.pyspark import DataFrame
from great_expectations.core import RunIdentifier, ValidationDefinition
from great_expectations.data_context import FileDataContext
from great_expectations.data_context.types.resource_identifiers import ValidationResultIdentifier

from expectations.project import Project
from expectations.suites.gated import GatedTable


class _Json(Protocol):
    def to_json_dict(self) -> dict[str, Any]: ...


_SAMPLE = 20  # rows shown of each expectation that is not met


@dataclass(frozen=True)
class Validated:
    """What Great Expectations found, as JSON, and the link to its page."""

    results: list[dict[str, Any]]
    report: str | None


def validate(project: Project, table: GatedTable, rows: DataFrame, version: int) -> Validated:
    """Validate rows and publish the result.

    Counts come first: all of them are one pass over the data. Samples of rows cost two more passes for each
    expectation, so they are taken only where there is a row to show.
    """
    name = table.suite.name
    with project.table_lock(name):
        with project.opened(name) as context:
            counts, samples = _checkpoints(context, table)
        key, result = _run(counts, rows, version)
        if _has_rows_to_show(result):
            project.forget(context, key)
            key, result = _run(samples, rows, version)
            project.hide(context, key, table.personal)
        return Validated(result["results"], project.publish(context, key))


def _checkpoints(context: FileDataContext, table: GatedTable) -> tuple[Checkpoint, Checkpoint]:
    """Define two checkpoints of one suite: of counts alone, and with samples of the rows that are not as expected."""
    name = table.suite.name
    asset = context.data_sources.add_spark(name, persist=False).add_dataframe_asset(table.name)
    batch = asset.add_batch_definition_whole_dataframe("judged_rows")
    suite = context.suites.add(table.suite)
    validation = context.validation_definitions.add(ValidationDefinition(name=name, data=batch, suite=suite))
    formats: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"{name}.counts", {"partial_unexpected_count": 0}),
        (f"{name}.samples", {"partial_unexpected_count": _SAMPLE, "unexpected_index_column_names": [*table.key]}),
    )
    counts, samples = (
        context.checkpoints.add(
            Checkpoint(
                name=checkpoint,
                validation_definitions=[validation],
                result_format={"result_format": "SUMMARY", "return_unexpected_index_query": False, **wanted},
            )
        )
        for checkpoint, wanted in formats
    )
    return counts, samples


def _run(checkpoint: Checkpoint, rows: DataFrame, version: int) -> tuple[ValidationResultIdentifier, dict[str, Any]]:
    run = RunIdentifier(run_name=f"version-{version}", run_time=datetime.now(UTC))
    done = checkpoint.run(batch_parameters={"dataframe": rows}, run_id=run)
    ((key, result),) = done.run_results.items()
    return key, cast("_Json", result).to_json_dict()


def _has_rows_to_show(result: dict[str, Any]) -> bool:
    return any((each["result"] or {}).get("unexpected_count") for each in result["results"])
