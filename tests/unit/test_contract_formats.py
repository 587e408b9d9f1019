"""Contracts: what each format allows and requires, silence and mirrors."""

from pathlib import Path

import pytest

from tidemark.contracts import Contract, ContractError, read_contract, read_contracts

pytestmark = pytest.mark.unit

JSON = """\
id: sightings
owner: rangers
description: One record per animal seen.
topic: sightings
format: json
key: [sighting_id]
eventTime: seen_at
schema:
  - {name: sighting_id, logicalType: string,    required: true}
  - {name: seen_at,     logicalType: timestamp, required: true, from: ts, unit: ms}
  - {name: ranger,      logicalType: string,    pii: true}
"""
AVRO = JSON.replace("format: json", "format: avro\ncompatibility: FULL")
CHANGES = """\
id: sightings
owner: rangers
description: One record per change of a row.
topic: sightings
format: debezium
changeOrder: [position]
key: [sighting_id]
eventTime: changed_at
tombstone: delete
schema:
  - {name: sighting_id, logicalType: string,    required: true}
  - {name: animal,      logicalType: string,    required: true}
  - {name: position,    logicalType: integer,   required: true, from: __source_lsn}
  - {name: changed_at,  logicalType: timestamp, required: true, from: __source_ts_ms, unit: ms}
  - {name: of,          logicalType: string,    from: __transaction_id}
"""
FILE = "sightings.yaml"
SILENCE = "column: sighting_id, within: 5 minutes"

WRONG = [
    (JSON, "json", "json\ncompatibility: BACKWARD", "6: compatibility", "found 'BACKWARD' with format json; allowed"),
    (JSON, "json", "json\nchangeOrder: [seen_at]", "6: changeOrder", "found seen_at with format json; allowed"),
    (JSON, "json", "json\nchangeOrder: []", "6: changeOrder", "at least 1 item"),
    (JSON, "json", "json\nretainDays: 0", "6: retainDays", "found 0; Input should be greater than or equal to 1"),
    (JSON, "json", "json\nretainDays: 1.5", "6: retainDays", "found 1.5; Input should be a valid integer"),
    (JSON, "json", "json\nmirror: perhaps", "6: mirror", "found 'perhaps'; Input should be a valid boolean"),
    (JSON, "topic: sightings", f"topic: {'-'.join(['a' * 61] * 4)}\nmirror: true", "5: mirror", "can name a topic"),
    (JSON, "json", "json\nsilence: ranger", "6: silence", "allowed is a mapping of fields"),
    (JSON, "json", "json\nsilence: {column: ranger}", "6: silence.within", "missing; it is required"),
    (JSON, "json", f"json\nsilence: {{{SILENCE}, of: x}}", "6: silence.of", "found 'x'; allowed are column, within"),
    (AVRO, "FULL", "NONE", "6: compatibility", "found 'NONE'; Input should be 'BACKWARD', 'FORWARD' or 'FULL'"),
    (AVRO, "from: ts", "from: t-s", "11: schema.1.from", "found 't-s'; allowed in Avro are letters, digits and _"),
    (CHANGES, "changeOrder: [position]\n", "", "1: changeOrder", "missing; format debezium requires it"),
    (CHANGES, "[position]", "[place]", "6: changeOrder.0", "found 'place'; allowed are sighting_id, animal, position"),
    (CHANGES, "[position]", "[of]", "6: changeOrder.0", "found 'of', which is optional; allowed are required columns"),
    (CHANGES, "[position]", "[animal]", "6: changeOrder.0", "found 'animal', which a delete need not have"),
    (CHANGES, "__source_lsn", "__lsn", "13: schema.2.from", "found '__lsn'; allowed of the envelope are __op, __ts"),
    (CHANGES, "__source_lsn", "__source_", "13: schema.2.from", "found '__source_'; allowed of the envelope are"),
]


def read(folder: Path, text: str) -> Contract:
    (folder / FILE).write_text(text)
    return read_contract(folder / FILE)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ContractError) as refused:
        read(folder, text)
    return refused.value.what


def test_fields_that_are_left_out_have_their_defaults(tmp_path: Path) -> None:
    contract = read(tmp_path, JSON)
    assert (contract.compatibility, contract.change_order, contract.silence, contract.mirror) == (
        *("BACKWARD", (), None, False),
    )
    assert [column.name for column in contract.columns if column.pii] == ["ranger"]


def test_a_contract_of_each_format_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, AVRO).compatibility == "FULL"
    changes = read(tmp_path, CHANGES)
    assert (changes.change_order, changes.by_name["position"].wire) == (("position",), "__source_lsn")


@pytest.mark.parametrize(("text", "old", "new", "where", "said"), WRONG)
def test_what_a_format_does_not_allow_is_told_with_its_line(
    tmp_path: Path, text: str, old: str, new: str, where: str, said: str
) -> None:
    assert old in text
    told = refusal(tmp_path, text.replace(old, new, 1))
    assert told.startswith(f"{FILE}:{where}: ")
    assert said in told


def test_two_underscores_mean_nothing_but_in_an_envelope(tmp_path: Path) -> None:
    assert read(tmp_path, JSON.replace("from: ts", "from: __ts")).by_name["seen_at"].wire == "__ts"


def test_silence_names_a_required_column_and_a_time(tmp_path: Path) -> None:
    def with_silence(of: str, within: str) -> str:
        return JSON.replace("format: json", f"format: json\nsilence: {{column: {of}, within: {within}}}")

    silence = read(tmp_path, with_silence("sighting_id", "5 minutes")).silence
    assert silence is not None
    assert (silence.column, silence.within_seconds) == ("sighting_id", 300)
    for of, within, where, said in (
        ("park", "5 minutes", "silence.column", "found 'park'; allowed are sighting_id, seen_at, ranger"),
        ("ranger", "5 minutes", "silence.column", "found 'ranger', which is optional; allowed are required columns"),
        ("sighting_id", "soon", "silence.within", "found 'soon'; allowed is a duration like '15 minutes'"),
    ):
        assert refusal(tmp_path, with_silence(of, within)).startswith(f"{FILE}:6: {where}: {said}")


@pytest.mark.parametrize("end", ["clean", "dlq"])
def test_a_topic_that_a_mirror_writes_is_nobody_elses(tmp_path: Path, end: str) -> None:
    (tmp_path / FILE).write_text(JSON.replace("format: json", "format: json\nmirror: true"))
    other = JSON.replace("id: sightings", "id: others").replace("topic: sightings", f"topic: sightings.{end}")
    (tmp_path / "others.yaml").write_text(other)
    with pytest.raises(ContractError) as refused:
        read_contracts(tmp_path)
    assert refused.value.what == (
        f"others.yaml:4: topic: found 'sightings.{end}', which the mirror of sightings.yaml writes; allowed is another"
    )
    (tmp_path / FILE).write_text(JSON)
    assert list(read_contracts(tmp_path)) == ["others", "sightings"]
