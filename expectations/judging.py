"""One judgement of one table: read, validated, judged by what was declared."""

import hashlib
import json
import time
from dataclasses import replace

from great_expectations.compatibility.pyspark import SparkSession

from expectations.failing import with_queries
from expectations.pinned import Pin
from expectations.project import Project
from expectations.reading import positions, read
from expectations.report import Judged
from expectations.suites.declared import declaration_of
from expectations.suites.gated import GatedTable
from expectations.validation import validate
from expectations.verdict import Verdict, defect, judge
from tidemark.settings import Settings


def judge_version(spark: SparkSession, settings: Settings, table: GatedTable, pin: Pin) -> Judged:
    """Judge one version of a table, whatever is committed to it meanwhile."""
    started = time.monotonic()
    suite = fingerprint(table)
    found = read(spark, settings, table, pin)
    if table.may_be_empty and found.rows.isEmpty():
        table = table.unsurveyed
    declared = [declaration_of(expectation) for expectation in table.suite.expectations]
    placed = replace(table, key=(*table.key, *positions(table, found.present)))
    validated = validate(Project(settings), placed, found.rows, pin.version.version)
    verdict = judge(declared, validated.results, table.personal, may_be_empty=table.may_be_empty)
    verdict = with_queries(verdict, declared, settings, placed, pin, found.others)
    verdict = Verdict((*(defect(what, why) for what, why in pin.defects), *verdict.findings))
    seconds = time.monotonic() - started
    return Judged(table.full_name, pin, verdict, validated.report, seconds, suite, table.contract_version)


def fingerprint(table: GatedTable) -> str:
    """Give what tells a suite from any other: a hash of all that is declared of a table."""
    expectations = [
        {"type": each.expectation_type, "kwargs": dict(each.configuration.kwargs), "meta": each.meta}
        for each in table.suite.expectations
    ]
    surveys = [survey.query for survey in table.surveys]
    told = [expectations, surveys, table.where, table.key, table.columns, table.event_time]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
