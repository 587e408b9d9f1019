"""What is told of records that no Kafka has taken yet."""

import pytest

from tests.kafka import free_ports
from tests.streams import wait_until
from tidemark.domains.mix import Record
from tidemark.produce import Outbox

pytestmark = pytest.mark.unit


def test_as_many_records_wait_as_were_sent_however_often_kafka_is_found_away() -> None:
    outbox = Outbox(f"127.0.0.1:{free_ports(1)[0]}", "nowhere")
    for _ in range(3):
        outbox.send(Record(b"{}", None, [], None, late=False, again=False))
    wait_until(lambda: len(outbox._producer) > 3, 10, "the producer has more to say than its records")
    assert outbox.waiting() == 3
    outbox._producer.purge()
