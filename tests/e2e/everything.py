"""What all streams are sent in one test, and what each must make of it, worked out in plain Python."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.fraud import Payment
from tests.log_lines import Line, lines
from tests.sensors import Reading
from tests.sessions import View
from tests.windows import Event, Sale

Row = dict[str, Any]
Sent = tuple[bytes | None, bytes | None]  # value, key

COUNTRIES = ("DE", "DE", "FR", "US", "AU")
SPAN = timedelta(minutes=4)  # less than any watermark's delay: nothing is late, whatever the batches are


@dataclass
class Everything:
    """All that was sent, by kind."""

    now: datetime
    random: Random = field(default_factory=lambda: Random(9))
    rides: list[tuple[str, Event]] = field(default_factory=list)  # with their ids
    sales: list[Sale] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    payments: list[tuple[Payment, str | None]] = field(default_factory=list)  # with their rides
    readings: list[Reading] = field(default_factory=list)
    logged: list[Line] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)

    def more(self) -> Mapping[str, list[Sent]]:
        """Let more happen; give the records of each topic but the payments, which are Avro."""
        rides = [
            (f"ride-{len(self.rides) + each}", (self._of("paid", "started"), self._moment())) for each in range(200)
        ]
        sales = [
            Sale(
                f"p{self._up_to(9)}", 1 + self._up_to(3), self._up_to(900) / 100, f"c{self._up_to(99)}", self._moment()
            )
            for _ in range(200)
        ]
        views = [
            View(f"v{len(self.views) + each}", f"u{self._up_to(20)}", self._of("/", "/cart"), self._moment())
            for each in range(100)
        ]
        readings = [
            Reading(f"r{len(self.readings) + each}", f"s{self._up_to(5)}", "t", self._reading(), self._moment())
            for each in range(400)
        ]
        logged = list(lines(self.random, 200, 8, self.now - SPAN, SPAN))
        changes = [self._change(len(self.changes) + each + 1) for each in range(100)]
        self.rides += rides
        self.sales += sales
        self.views += views
        self.readings += readings
        self.logged += logged
        self.changes += changes
        self.payments += [self._payment(len(self.payments) + each) for each in range(200)]
        shuffled = self.random.sample([*changes, *changes[:20]], len(changes) + 20)  # out of order, some twice
        return {
            "ride_events": [(_ride(name, event), b"k") for name, event in rides],
            "sales_events": [_sale(sale, len(self.sales) + each) for each, sale in enumerate(sales)],
            "page_views": [(_view(view), b"k") for view in [*views, *views[:10]]],
            "sensor_readings": [(_plain(reading), b"k") for reading in readings],
            "app_logs": [(_line(line, len(self.logged) + each), b"k") for each, line in enumerate(logged)],
            "customers": [sent for change in shuffled for sent in _changed(change)],
        }

    def newest_changes(self) -> dict[str, Row]:
        """Give each customer's newest change by its position."""
        return {each["customer_id"]: each for each in sorted(self.changes, key=lambda each: int(each["source_lsn"]))}

    def _payment(self, number: int) -> tuple[Payment, str | None]:
        ride = f"ride-{self._up_to(len(self.rides) * 2)}" if number % 2 else None
        card = f"card-{self._up_to(30)}"
        made = Payment(f"pay-{number}", card, f"cust-{self._up_to(9)}", self._of(*COUNTRIES), self._moment())
        return made, ride

    def _change(self, lsn: int) -> Row:
        deleted = self._up_to(6) == 0
        image = {name: None if deleted else f"{name}{lsn}" for name in ("name", "email", "segment")}
        country = None if deleted else self._of("DE", "FR")
        known = {"customer_id": f"cust-{self._up_to(9)}", "op": "d" if deleted else "u", "source_lsn": lsn}
        return image | known | {"country": country, "changed_at": self._moment(), "is_deleted": deleted}

    def _reading(self) -> float:
        return round(self.random.gauss(20, 1), 3) + (50 if self._up_to(80) == 0 else 0)

    def _moment(self) -> datetime:
        return self.now - timedelta(milliseconds=self.random.randrange(SPAN // timedelta(milliseconds=1)))

    def _of(self, *choices: str) -> str:
        return self.random.choice(choices)

    def _up_to(self, limit: int) -> int:
        return self.random.randrange(limit)


def later(at: datetime) -> Mapping[str, list[Sent]]:
    """Give a record for each topic but the payments that only moves its watermark on."""
    return {
        "ride_events": [(_ride("later", ("later", at)), b"k")] * 2,
        "page_views": [(_view(View("later", "later", "/", at)), b"k")] * 2,
        "sensor_readings": [(_plain(Reading("later", "later", "later", 1.0, at)), b"k")] * 2,
    }


def payment_fields(payment: Payment, ride: str | None) -> Row:
    """Give a payment as it is written."""
    fields = payment._asdict()
    at = fields.pop("event_time")
    return fields | {"ts": _ms(at), "ride_event_id": ride, "amount": 5.0, "currency": "EUR", "merchant": "m"}


def _ride(name: str, event: Event) -> bytes:
    kind, at = event
    return _json({"event_id": name, "user_id": "u1", "event_type": kind, "amount": 7.5, "ts": _ms(at)})


def _sale(sale: Sale, number: int) -> Sent:
    fields = {"product_id": sale.product, "quantity": sale.quantity, "revenue": sale.revenue}
    return _json(fields | {"customer_id": sale.customer, "timestamp": _ms(sale.at)}), f"sale-{number}".encode()


def _view(view: View) -> bytes:
    return _json({"view_id": view.id, "visitor_id": view.visitor, "page": view.page, "ts": _ms(view.at)})


def _plain(reading: Reading) -> bytes:
    fields = reading._asdict()
    at = fields.pop("event_time")
    return _json(fields | {"ts": _ms(at)})


def _line(line: Line, number: int) -> bytes:
    fields = {"log_id": f"l{number}", "service": line.service, "level": line.level, "message": line.message}
    return _json(fields | {"timestamp": line.at.isoformat(timespec="milliseconds")})


def _changed(change: Row) -> Iterator[Sent]:
    """Give the event of a change as Debezium sends it; after a delete comes a tombstone."""
    key = _json({"customer_id": change["customer_id"]})
    image = {name: change[name] for name in ("customer_id", "name", "email", "country", "segment")}
    before, after = (image, None) if change["is_deleted"] else (None, image)
    source = {"connector": "postgresql", "lsn": change["source_lsn"], "ts_ms": _ms(change["changed_at"])}
    event = {"before": before, "after": after, "source": source, "op": change["op"], "ts_ms": 1, "transaction": None}
    yield _json(event), key
    if change["is_deleted"]:
        yield None, key


def _json(fields: Row) -> bytes:
    return json.dumps(fields).encode()


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
