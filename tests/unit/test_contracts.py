"""Contracts: what is one, and what each wrong line of one is told."""

import re
from pathlib import Path
from typing import Any

import pytest

from tidemark.contracts import Check, Column, Contract, ContractError, find_contract, read_contract, read_contracts
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

# The sample of the style guide, line by line.
SAMPLE = """\
id: ride_events
owner: rides
description: One record per change of a ride.
topic: ride_events
format: json
key: [event_id]
eventTime: event_time
schema:
  - {name: event_id,   logicalType: string,    required: true, description: Unique id set by the app.}
  - {name: event_time, logicalType: timestamp, required: true, from: ts, unit: ms, description: "When, UTC."}
  - {name: amount,     logicalType: number,    required: true, minimum: 0, unit: EUR}
quality:
  - {metric: duplicateValues, columns: [event_id], mustBe: 0, layer: silver, severity: fail}
  - {metric: freshness, within: 15 minutes, severity: warn}
"""
FILE = "ride_events.yaml"

# What stands in the sample, what is put there instead, the line and field that are named, and what else is said.
WRONG = [
    ("owner: rides", "owner: Rides", "2: owner", "found 'Rides'; allowed is a name like [a-z]"),
    ("owner: rides", "owner: 7", "2: owner", "found 7; Input should be a valid string"),
    ("owner: rides", "owner: no", "2: owner", "found False; Input should be a valid string"),
    ("owner: rides\n", "", "1: owner", "missing; it is required"),
    ("topic: ride_events", "topic: a,b", "4: topic", "found 'a,b'; allowed is a topic name like"),
    ("topic: ride_events", "topic: ride.*", "4: topic", "found 'ride.*'; allowed is a topic name like"),
    ("format: json", "format: csv", "5: format", "found 'csv'; Input should be 'json', 'avro' or 'debezium'"),
    ("format: json", "format: json\nversion: '1'", "6: version", "found '1'; String should match pattern"),
    (
        "format: json",
        "format: json\ntombstone: ignore",
        "6: tombstone",
        "found 'ignore'; Input should be 'quarantine' or",
    ),
    ("key: [event_id]", "key: event_id", "6: key", "found 'event_id'; Input should be a valid tuple"),
    ("key: [event_id]", "key: []", "6: key", "at least 1 item"),
    ("key: [event_id]", "key: [amount, nope]", "6: key.1", "found 'nope'; allowed are event_id, event_time, amount"),
    ("eventTime: event_time", "eventTime: amount", "7: eventTime", "found 'amount'; allowed is a timestamp column"),
    ("eventTime: event_time", "eventTime: nope", "7: eventTime", "found 'nope'; allowed is a timestamp column"),
    ("name: amount", "name: Amount", "11: schema.2.name", "found 'Amount'; allowed is a name like"),
    ("name: amount", "name: event_id", "11: schema.2.name", "found 'event_id' twice; allowed once"),
    ("name: amount", "name: _offset", "11: schema.2.name", "found '_offset'; allowed is a name like"),
    ("name: amount", "name: amount, from: TS", "11: schema.2.from", "found 'TS' twice, but for case; allowed once"),
    ("name: amount", "name: amount, from: 'a.b'", "11: schema.2.from", "found 'a.b'; String should match pattern"),
    (
        "number, ",
        "decimal,",
        "11: schema.2.logicalType",
        "found 'decimal'; Input should be 'string', 'integer', 'number'",
    ),
    (
        "required: true, minimum",
        "required: maybe, minimum",
        "11: schema.2.required",
        "found 'maybe'; Input should be a",
    ),
    ("minimum: 0", "minimum: low", "11: schema.2.minimum", "found 'low'; Input should be a valid number"),
    ("minimum: 0", "minimum: true", "11: schema.2.minimum", "found True; Input should be a valid number"),
    ("minimum: 0", "minimum: .nan", "11: schema.2.minimum", "found nan; Input should be a finite number"),
    ("minimum: 0", "minimum: 2, maximum: 1", "11: schema.2.minimum", "found 2.0; allowed is at most maximum, 1.0"),
    ("unit: ms", "unit: ns", "10: schema.1.unit", "found 'ns'; allowed is s, ms, us or none (ISO 8601 text)"),
    ("required: true, description", "description", "6: key.0", "found 'event_id', which is optional; allowed are"),
    ("from: ts", "source: body", "10: schema.1.source", "found 'body'; Input should be 'value', 'key' or 'header'"),
    ("metric: freshness", "metric: speed", "14: quality.1.metric", "found 'speed'; Input should be 'nullValues'"),
    (
        "within: 15 minutes",
        "within: soon",
        "14: quality.1.within",
        "found 'soon'; allowed is a duration like '15 minutes'",
    ),
    (", within: 15 minutes", "", "14: quality.1", "freshness needs within"),
    (", mustBe: 0", "", "13: quality.0", "duplicateValues needs one of mustBe, mustBeGreaterThan, mustBeLessThan"),
    ("columns: [event_id], ", "", "13: quality.0", "duplicateValues needs columns"),
    ("columns: [event_id]", "columns: [x]", "13: quality.0.columns.0", "found 'x'; allowed are event_id, event_time"),
    ("layer: silver", "layer: tin", "13: quality.0.layer", "found 'tin'; Input should be 'bronze', 'silver' or 'gold'"),
    ("severity: warn", "severity: loud", "14: quality.1.severity", "found 'loud'; Input should be 'fail' or 'warn'"),
    ("mustBe: 0", "mustBe: none", "13: quality.0.mustBe", "found 'none'; Input should be a valid number"),
    ("within: 15 minutes", "within: 0 minutes", "14: quality.1.within", "found '0 minutes'; allowed is a duration"),
    ("minimum: 0", "pii: maybe", "11: schema.2.pii", "found 'maybe'; Input should be a valid boolean"),
]

NO_YAML = {
    "an_object_of_python": ("owner: rides", "owner: !!python/object/apply:os.system ['true']", 2, "found the tag"),
    "a_tag_of_yaml": ("owner: rides", "owner: !!binary cmlkZXM=", 2, "found the tag"),
    "an_alias": ("owner: rides", "owner: &o rides\ntombstone: *o", 3, "found an alias; allowed is none"),
    "a_doubled_key": ("owner: rides", "owner: rides\nowner: sales", 3, "found 'owner' twice; allowed once"),
    "a_doubled_key_inside": ("minimum: 0", "minimum: 0, minimum: 1", 11, "found 'minimum' twice; allowed once"),
    "a_merge_key": ("owner: rides", "<<: {owner: rides}", 2, "found the key '<<'; allowed is text"),
    "a_key_that_is_a_list": ("owner: rides", "? [a]\n: rides", 2, "allowed is text"),
    "a_key_that_is_a_number": ("owner: rides", "5: rides", 2, "found the key '5'; allowed is text"),
    "two_documents": ("owner: rides", "---\nid: b", 2, "found another document"),
    "a_day_that_is_none": ("owner: rides", "owner: 2025-02-30", 2, "found '2025-02-30'; day is out of range"),
    "a_number_without_end": ("minimum: 0", "minimum: " + "9" * 5000, 11, "…; Exceeds the limit"),
    "an_open_bracket": ("key: [event_id]", "key: [event_id", 7, "expected ',' or ']'"),
    "too_many_levels": ("owner: rides", "owner: " + "[" * 500 + "]" * 500, 2, "found more than 20 levels"),
    "a_control_character": ("owner: rides", "owner: ri\x00des", 1, "special characters are not allowed"),
}


def read(folder: Path, text: str | bytes) -> Contract:
    """Read a contract from a file of that text."""
    path = folder / FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_contract(path)


def refusal(folder: Path, text: str | bytes) -> str:
    """Give what is said of a text that is no contract."""
    with pytest.raises(ContractError) as refused:
        read(folder, text)
    assert refused.value.fix
    return refused.value.what


def changed(old: str, new: str) -> str:
    assert old in SAMPLE
    return SAMPLE.replace(old, new, 1)


def test_the_sample_of_the_style_guide_is_a_contract(tmp_path: Path) -> None:
    contract = read(tmp_path, SAMPLE)
    assert (contract.id, contract.topic, contract.key, contract.event_time) == (
        *("ride_events", "ride_events", ("event_id",), "event_time"),
    )
    assert [(column.name, column.wire, column.logical_type) for column in contract.columns] == [
        ("event_id", "event_id", "string"),
        ("event_time", "ts", "timestamp"),
        ("amount", "amount", "number"),
    ]
    assert (contract.version, contract.tombstone, contract.bronze_query) == (
        "1.0.0",
        "quarantine",
        "bronze_ride_events",
    )
    assert [check.within_seconds for check in contract.quality] == [0, 900]


def test_the_contracts_of_the_project_are_read() -> None:
    formats = {name: contract.format for name, contract in read_contracts(ROOT / "contracts").items()}
    assert formats == {
        "app_logs": "json",
        "card_payments": "avro",
        "customers": "debezium",
        "page_views": "json",
        "ride_events": "json",
        "sales_events": "json",
        "sensor_readings": "json",
    }


@pytest.mark.parametrize(("old", "new", "where", "said"), WRONG)
def test_a_wrong_line_is_told_with_file_line_field_found_and_allowed(
    tmp_path: Path, old: str, new: str, where: str, said: str
) -> None:
    assert refusal(tmp_path, changed(old, new)).startswith(f"{FILE}:{where}: ")
    assert said in refusal(tmp_path, changed(old, new))


def test_every_wrong_line_is_told_at_once(tmp_path: Path) -> None:
    text = changed("owner: rides", "owner: Rides").replace("unit: EUR", "unit: 5").replace("format: json\n", "")
    lines = refusal(tmp_path, text).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{FILE}:2", f"{FILE}:1", f"{FILE}:10"]


@pytest.mark.parametrize(
    ("old", "new", "where", "allowed"),
    [
        ("owner: rides", "owner: rides\nkafka.group.id: x", "3: kafka.group.id", "id, version, owner"),
        ("owner: rides", "owner: rides\nkafka: {sasl.jaas.config: x}", "3: kafka", "id, version, owner"),
        ("owner: rides", "owner: rides\noptions: {failOnDataLoss: false}", "3: options", "id, version, owner"),
        ("owner: rides", "owner: rides\nspark: {spark.sql.x: y}", "3: spark", "id, version, owner"),
        ("minimum: 0", "options: {mode: FAILFAST}", "11: schema.2.options", "name, logicalType, description"),
        ("severity: warn", "options: {a: b}", "14: quality.1.options", "metric, columns, mustBe"),
    ],
)
def test_a_field_that_is_unknown_at_its_level_is_refused_so_no_option_reaches_kafka_or_spark(
    tmp_path: Path, old: str, new: str, where: str, allowed: str
) -> None:
    said = refusal(tmp_path, changed(old, new))
    assert said.startswith(f"{FILE}:{where}: ")
    assert f"allowed are {allowed}" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [("eventTime:", "event_time:"), ("schema:", "columns:"), ("logicalType", "logical_type"), ("mustBe", "must_be")],
)
def test_a_field_has_one_name_only(tmp_path: Path, old: str, new: str) -> None:
    said = refusal(tmp_path, changed(old, new))
    assert re.search(rf"{new.rstrip(':')}: .*allowed are", said)


@pytest.mark.parametrize("case", NO_YAML)
def test_yaml_that_no_contract_needs_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    old, new, line, said = NO_YAML[case]
    assert refusal(tmp_path, changed(old, new)).startswith(f"{FILE}:{line}: is not YAML as a contract has it: ")
    assert said in refusal(tmp_path, changed(old, new))


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "- a\n", "5\n", "just words\n"])
def test_a_file_without_fields_is_refused(tmp_path: Path, text: str) -> None:
    assert re.match(rf"{FILE}:1: contract: (found .*; )?allowed is a mapping of fields$", refusal(tmp_path, text))


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    assert f"{FILE}: cannot be read: 'utf-8' codec can't decode" in refusal(tmp_path, SAMPLE.encode("utf-16"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"cannot be read: .*No such file"):
        read_contract(tmp_path / FILE)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    said = refusal(tmp_path, SAMPLE + "# " + "x" * 1_000_000)
    assert re.search(r"found 1000\d+ characters; allowed are 1000000$", said)


def test_a_long_value_is_not_repeated_in_full(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, changed("owner: rides", "owner: " + "R" * 5000))) < 300


def test_an_id_that_is_not_the_file_name_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed("id: ride_events", "id: rides"))
    assert said == f"{FILE}:1: id: found 'rides'; allowed is the file's name 'ride_events'"


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean", "timestamp", "date"])
@pytest.mark.parametrize(
    ("limit", "value", "kinds"),
    [
        ("minimum", 1, {"integer", "number"}),
        ("maximum", 1, {"integer", "number"}),
        ("maxLength", 1, {"string"}),
        ("pattern", "a", {"string"}),
        ("enum", ["a"], {"string"}),
        ("source", "key", {"string"}),
        ("source", "header", {"string"}),
    ],
)
def test_a_limit_is_allowed_on_its_types_only(kind: str, limit: str, value: object, kinds: set[str]) -> None:
    data = {"name": "x", "logicalType": kind, limit: value}
    if kind in kinds:
        Column.model_validate(data)
    else:
        with pytest.raises(ValueError, match=rf"found {limit} on {kind}; allowed on .*{min(kinds)}"):
            Column.model_validate(data)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        *[("maxLength", 0), ("maxLength", 10_000_001), ("maxLength", "5"), ("maxLength", True), ("enum", [])],
        *[("enum", "ab"), ("enum", [1]), ("pattern", "(a"), ("pattern", "*"), ("pattern", "(?P<a>b)")],
    ],
)
def test_a_limit_that_is_none_is_refused(limit: str, value: object) -> None:
    with pytest.raises(ValueError, match=limit):
        Column.model_validate({"name": "x", "logicalType": "string", limit: value})


def test_a_pattern_is_told_why_it_is_none() -> None:
    with pytest.raises(ValueError, match=r"allowed is a regular expression; missing \), unterminated"):
        Column.model_validate({"name": "x", "logicalType": "string", "pattern": "(a"})
    with pytest.raises(ValueError, match=r"that Python and Java read alike; '\(\?P' they do not"):
        Column.model_validate({"name": "x", "logicalType": "string", "pattern": "(?P<a>b)"})


def test_a_key_or_header_may_have_the_name_of_a_field(tmp_path: Path) -> None:
    column = "  - {name: app, logicalType: string, source: header, from: amount}\n"
    assert read(tmp_path, SAMPLE.replace("quality:\n", column + "quality:\n")).by_name["app"].wire == "amount"


@pytest.mark.parametrize(
    ("within", "seconds"),
    [("1 second", 1), ("30 seconds", 30), ("15 minutes", 900), ("1 hour", 3600), ("2 days", 172_800)],
)
def test_a_duration_is_read_with_its_unit(within: str, seconds: int) -> None:
    assert Check.model_validate({"metric": "freshness", "within": within}).within_seconds == seconds


@pytest.mark.parametrize("within", ["15", "15 min", "1.5 hours", "-1 days", "15 minutes ago", "minutes"])
def test_what_is_no_duration_is_refused(within: str) -> None:
    with pytest.raises(ValueError, match="allowed is a duration like"):
        Check.model_validate({"metric": "freshness", "within": within})


@pytest.mark.parametrize(
    "wrong",
    [{"unit": "rows"}, {"mustBe": 1}, {"mustBeGreaterThan": 1}, {"columns": ["a"]}, {"layer": "silver"}],
)
def test_the_quarantine_is_bounded_by_a_share_of_bronze_and_nothing_else(wrong: dict[str, Any]) -> None:
    bounded = {"metric": "quarantinedRows", "mustBeLessThan": 2.5, "unit": "percent"}
    assert Check.model_validate(bounded).must_be_less_than == 2.5
    with pytest.raises(ValueError, match="quarantinedRows is of bronze, without columns"):
        Check.model_validate(bounded | wrong)


def test_an_open_set_is_of_text_and_no_enum() -> None:
    column = {"name": "kind", "logicalType": "string", "openSet": True}
    assert Column.model_validate(column).open_set
    for wrong in ({"logicalType": "integer"}, {"enum": ["a"]}):
        with pytest.raises(ValueError, match="allowed on string without an enum"):
            Column.model_validate(column | wrong)


@pytest.mark.parametrize("bound", ["mustBe", "mustBeGreaterThan", "mustBeLessThan"])
def test_a_row_count_needs_a_bound_but_no_columns(bound: str) -> None:
    assert Check.model_validate({"metric": "rowCount", bound: 0}).columns == ()
    with pytest.raises(ValueError, match="rowCount needs one of"):
        Check.model_validate({"metric": "rowCount"})


def written(folder: Path, name: str, **changes: Any) -> None:
    """Write the sample as another contract."""
    text = SAMPLE.replace("id: ride_events", f"id: {name}", 1)
    for field, value in changes.items():
        text = re.sub(rf"(?m)^{field}: .*$", f"{field}: {value}", text)
    (folder / f"{name}.yaml").write_text(text)


def test_contracts_are_read_by_id(tmp_path: Path) -> None:
    written(tmp_path, "b_events", topic="b")
    written(tmp_path, "a_events", topic="a")
    (tmp_path / "README.md").write_text("no contract")
    assert list(read_contracts(tmp_path)) == ["a_events", "b_events"]


def test_two_contracts_of_one_topic_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "a_events")
    written(tmp_path, "b_events")
    with pytest.raises(ContractError) as refused:
        read_contracts(tmp_path)
    assert refused.value.what == ("b_events.yaml:4: topic: found 'ride_events', which a_events.yaml has; allowed once")


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    written(tmp_path, "a_events", owner="A")
    written(tmp_path, "b_events", owner="B")
    with pytest.raises(ContractError) as refused:
        read_contracts(tmp_path)
    assert [line.split(": ")[0] for line in refused.value.what.splitlines()] == ["a_events.yaml:2", "b_events.yaml:2"]


def test_a_file_that_would_be_passed_over_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "a_events")
    (tmp_path / "a_events.yaml").rename(tmp_path / "a_events.yml")
    with pytest.raises(ContractError, match=r"a_events\.yml:1: file: found \.yml; allowed is \.yaml"):
        read_contracts(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="nowhere: there is no such folder"):
        read_contracts(tmp_path / "nowhere")


def test_an_unknown_contract_is_told_those_there_are(tmp_path: Path) -> None:
    contracts = {"ride_events": read(tmp_path, SAMPLE)}
    assert find_contract(contracts, "ride_events").id == "ride_events"
    with pytest.raises(ContractError, match="found 'rides'; allowed are ride_events"):
        find_contract(contracts, "rides")
