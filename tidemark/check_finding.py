"""The answer of one of the doctor's checks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found, and where it is bad the line that mends it."""

    name: str
    is_ok: bool
    found: str
    fix: str
