"""The result of a proof, as programs and people read it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from tidemark.certificates import Tidemark
from tidemark.compare import BROKEN, Kind
from tidemark.findings import Finding, Findings
from tidemark.pins import Scope
from tidemark.strays import offsets_of

EXIT_CODES: Mapping[str, int] = {"proven": 0, "broken": 1, "unknown": 2}

_MOST_RANGES = 10_000
_NAMED_RANGES = 3  # in a sentence

_MEANING = {
    Kind.TWICE: "are in bronze more than once",
    Kind.LOST: "are in Kafka, but not in bronze",
    Kind.ALTERED: "have other bytes in bronze than in Kafka",
    Kind.PHANTOM: "are in bronze, but Kafka has no such committed record",
    Kind.EXPIRED: "are no longer in Kafka, and no certificate vouches for what bronze has",
    Kind.PENDING: "are not in bronze yet: the stream has not taken them within the wait",
}


@dataclass(frozen=True)
class Proof:
    """What was found of every offset of a topic."""

    tidemark: Tidemark
    scopes: Sequence[Scope]
    compared: Findings
    strays: Sequence[Finding]
    quarantined: int
    notes: Sequence[str]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 proven, 1 broken, 2 can't tell."""
        return EXIT_CODES[self.tidemark.verdict]

    @property
    def counts(self) -> dict[Kind, int]:
        """How many offsets there are of each kind."""
        return counted(self.compared, self.strays, self.scopes)

    @property
    def has_table(self) -> bool:
        """Whether there was a table to look at."""
        return self.tidemark.origin.table_version >= 0

    def findings(self) -> Iterator[Finding]:
        """Give every range of offsets that is wrong or left open."""
        return chain.from_iterable(map(self.findings_of, _MEANING))

    def findings_of(self, kind: Kind) -> Iterator[Finding]:
        """Give every range of offsets of one kind."""
        yield from self.compared.ranges(kind)
        if kind == Kind.PHANTOM:
            yield from self.strays
        if kind == Kind.PENDING:
            for scope in (each for each in self.scopes if each.end < each.stable):
                yield Finding(kind, scope.partition, scope.end, scope.stable)

    def why(self) -> list[str]:
        """Say in a sentence for each kind why the verdict is not a better one."""
        reasons = [] if self.has_table else ["there is no bronze table yet: is its stream running?"]
        for kind in (each for each in _MEANING if self.counts[each]):
            named = list(islice(self.findings_of(kind), _NAMED_RANGES + 1))
            places = ", ".join(map(place, named[:_NAMED_RANGES])) + (" …" if len(named) > _NAMED_RANGES else "")
            offsets = "offset" if self.counts[kind] == 1 else "offsets"
            reasons.append(f"{word(kind)}: {self.counts[kind]:,} {offsets} ({places}) {_MEANING[kind]}")
        return reasons

    def as_json(self) -> dict[str, Any]:
        """Give all of it in plain types; `offsets` counts [start, stable) of all partitions."""
        origin = self.tidemark.origin
        return {
            "verdict": self.tidemark.verdict,
            "contract": origin.contract,
            "topic": origin.topic,
            "topic_id": origin.topic_id,
            "offsets": sum(scope.stable - scope.start for scope in self.scopes),
            **{word(kind): number for kind, number in self.counts.items()},
            "quarantined": self.quarantined,
            "complete_through": iso(self.tidemark.complete_through),
            "table_version": origin.table_version if self.has_table else None,
            "certificate_id": origin.certificate_id if self.has_table else None,
            "why": self.why(),
            "notes": list(self.notes),
            "findings": [_finding(each) for each in islice(self.findings(), _MOST_RANGES)],
            "seconds": round(self.seconds, 3),
            "partitions": self._partitions(),
        }

    def _partitions(self) -> list[dict[str, Any]]:
        marks = {mark.partition: mark for mark in self.tidemark.partitions}
        return [
            {
                "partition": scope.partition,
                "start": scope.start,
                "end": scope.end,
                "last_stable": scope.stable,
                "tidemark": marks[scope.partition].tidemark,
                "complete_through": iso(marks[scope.partition].complete_through),
            }
            for scope in self.scopes
        ]


def counted(compared: Findings, strays: Sequence[Finding], scopes: Sequence[Scope]) -> dict[Kind, int]:
    """Count the offsets of each kind; strays are phantoms beside those of the scopes."""
    counts = {kind: compared.counts[kind] for kind in Kind}
    counts[Kind.PHANTOM] += offsets_of(strays)
    counts[Kind.PENDING] = sum(scope.stable - scope.end for scope in scopes)
    return counts


def verdict_of(counts: Mapping[Kind, int], has_table: bool) -> str:
    """Judge by what was found: proven only if nothing is wrong and nothing is left open."""
    if any(counts[kind] for kind in BROKEN):
        return "broken"
    return "proven" if has_table and not counts[Kind.PENDING] and not counts[Kind.EXPIRED] else "unknown"


def word(kind: Kind) -> str:
    """Name a kind as the output does."""
    return kind.name.lower()


def place(finding: Finding) -> str:
    """Name a range of offsets: `partition:[start,end)`, after the topic's name if it is another than the contract's."""
    named = f"{finding.partition}:[{finding.start},{finding.end})"
    return named if finding.topic is None else f"{finding.topic!r} {named}"


def iso(time: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unproven(contract: str, why: str) -> dict[str, Any]:
    """Give the plain result where nothing could be compared: what is not known is null."""
    names = chain(("topic", "topic_id", "offsets"), map(word, Kind), ("quarantined", "complete_through"))
    unknown = dict.fromkeys(chain(names, ("table_version", "certificate_id")))
    empty: dict[str, list[Any]] = {"notes": [], "findings": [], "partitions": []}
    return {"verdict": "unknown", "contract": contract, **unknown, "why": [why], **empty, "seconds": None}


def _finding(finding: Finding) -> dict[str, Any]:
    plain = {
        "kind": word(finding.kind),
        "partition": finding.partition,
        "start": finding.start,
        "end": finding.end,
    }
    return plain if finding.topic is None else {**plain, "topic": finding.topic}
