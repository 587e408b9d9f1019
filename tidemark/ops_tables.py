"""The lake's tables about itself: their schemas, and the one place that appends to them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from tidemark.errors import TidemarkError
from tidemark.settings import Settings

CERTIFICATES = "certificates"
TIDEMARKS = "tidemarks"

_INSTANT = pa.timestamp("us", "UTC")
_TRIES = 5
_PROPERTIES = {"delta.checkpointInterval": "100", "delta.dataSkippingNumIndexedCols": "8"}

SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        # One row for each bucket of offsets that a proof found clean
        CERTIFICATES: pa.schema(
            [
                ("contract", pa.string()),
                ("topic_id", pa.string()),
                ("partition", pa.int32()),
                ("bucket", pa.int64()),
                ("start_offset", pa.int64()),
                ("end_offset", pa.int64()),
                ("certificate_id", pa.string()),
                ("proven_at", _INSTANT),
                ("topic", pa.string()),
                ("records", pa.int64()),
                ("hash", pa.int64()),  # the sum of the rows' hashes modulo 2**64, its bits read as a signed number
                ("table_version", pa.int64()),
            ]
        ),
        # One row for each partition and proof; all rows of a proof are one commit
        TIDEMARKS: pa.schema(
            [
                ("contract", pa.string()),
                ("certificate_id", pa.string()),
                ("written_at", _INSTANT),
                ("topic", pa.string()),
                ("topic_id", pa.string()),
                ("partition", pa.int32()),
                ("tidemark", pa.int64()),  # the first offset that is not accounted for
                ("table_version", pa.int64()),
                ("complete_through", _INSTANT),
                ("verdict", pa.string()),
            ]
        ),
    }
)


def append(settings: Settings, name: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to an ops table in one commit; create it where there is none.

    Raises:
        TidemarkError: the table can't be written.
    """
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[name])
    path = settings.table("ops", name)
    for left in reversed(range(_TRIES)):
        try:
            write_deltalake(path, table, mode="append", configuration=_PROPERTIES)
            return
        except DeltaError as error:
            # Two that create the table at once: one of them finds it there, and appends the next time
            if not left:
                raise TidemarkError(f"{path}: can't be written: {error}") from None


def opened(settings: Settings, name: str) -> ds.Dataset | None:
    """Open the newest version of an ops table; None where there is none yet."""
    try:
        return DeltaTable(settings.table("ops", name)).to_pyarrow_dataset()
    except TableNotFoundError:
        return None
