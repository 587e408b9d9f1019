"""Values as they may come: right, nearly right, damaged, and anything at all."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.spark.judge import READERS
from tests.spark.records import LANDED

NOW = int(LANDED.timestamp() * 1000)
NUMBERS = [
    *(
        "0",
        "-0",
        "1",
        "-1.5",
        "5",
        "10",
        "11",
        "-6",
        "1.0",
        "1e0",
        "0.1e1",
        "1e300",
        "2e300",
        "1e400",
        "-1e400",
        "1e-400",
    ),
    *(
        str(NOW),
        str(NOW + 3_600_000),
        str(NOW + 3_600_001),
        str(2**63),
        str(2**63 - 1),
        str(-(2**63) - 1),
        "9" * 45,
        "9" * 400,
    ),
    *("253402300799999", "253402300800000", "-62135596800000", "-62135596800001", "0." + "3" * 60, "NaN", "-Infinity"),
    *("01", "+1", ".5", "1.", "1e", "0x1", "1_0", "--1"),
]
TEXTS = [
    *(
        "a",
        "abc",
        "cab",
        "red",
        "5",
        "-1",
        "true",
        "false",
        "null",
        "{}",
        "[1]",
        "",
        " ",
        "abcdef",
        "abcdefg",
        "é€😀xyz",
    ),
    *('"', "\\", "\n", "\x00", "a\n", '"id":"5"', '"id": "5"', '{"id":5}', "}", ',"~":true}', "~", "{" * 60, "[" * 120),
    *("2024-02-29", "2023-02-29", "0001-01-01", "0000-01-01", "2024-2-9", "2024-02-29 x", "10:00", "T10:00", "now"),
    *("2024-02-29T10:00:00Z", "2024-02-29 10:00", "2024-02-29T10:00:00.1234567+02:00", "2024-02-29T24:00:00Z"),
    *("0001-01-01T00:00:00+00:01", "9999-12-31T23:59-00:01", "2024-02-29T10:00:00+18:00", "2024-02-29T10:00:00+18:01"),
]
NAMES = [*READERS, "ID", "more", "~", "~end~", "~corrupt~"]
RIGHT = {
    "id": ['"a"', '"5"', '"true"', '"{}"'],
    "at": [str(NOW), "0", str(NOW + 3_600_000)],
    "n": ["1", "null", "-5"],
    "x": ["1", "1.5", "-0.0", "1e300"],
    "b": ["true", "null"],
    "c": ['"red"', '"5"', "null"],
    "p": ['"abc"', '"5"'],
    "d": ['"2024-02-29"', "null"],
    "t": ['"2024-02-29T10:00:00Z"', '"2024-02-29 10:00"', "null"],
}


def quoted(chars: str, style: int) -> str:
    """Write text as JSON: as it is, with escapes, or with every character escaped."""
    if style == 2 and chars:
        units = chars.encode("utf-16-be")
        return '"' + "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)) + '"'
    return json.dumps(chars, ensure_ascii=style == 0)


texts = st.builds(quoted, st.sampled_from(TEXTS) | st.text(max_size=8), st.integers(0, 2))
scalars = st.sampled_from(NUMBERS) | texts | st.sampled_from(["true", "false", "null"]) | st.integers().map(str)
names = st.sampled_from(NAMES) | st.sampled_from(list(READERS))
keys = st.builds(quoted, names, st.sampled_from([0, 0, 0, 0, 2]))
spaces = st.sampled_from(["", "", "", " ", "  ", "\n", "\t "])


def written(fields: Sequence[tuple[str, str]], colon: str, comma: str, edge: str) -> str:
    return "{" + edge + comma.join(f"{key}{colon}{value}" for key, value in fields) + edge + "}"


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arrays = st.lists(inner, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]")
    objects = st.builds(written, st.lists(st.tuples(keys, inner), max_size=3), st.just(":"), st.just(","), st.just(""))
    return arrays | objects


anything = st.recursive(scalars, containers, max_leaves=5)
right_fields = st.tuples(*[st.tuples(st.just(f'"{name}"'), st.sampled_from(values)) for name, values in RIGHT.items()])
own_keys = st.sampled_from([f'"{name}"' for name in READERS])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document that is right, then gains, loses or changes fields."""
    fields = list(draw(right_fields))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        place = draw(st.integers(0, len(fields)))
        new = draw(st.tuples(own_keys | keys, anything))
        fields[place : place + draw(st.integers(0, 1))] = [new]
    if draw(st.booleans()):
        fields = draw(st.permutations(fields))
    colon, comma, edge = draw(spaces), draw(spaces), draw(spaces)
    return draw(spaces) + written(fields, f"{draw(spaces)}:{colon}", f",{comma}", edge) + draw(spaces)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A document with a byte lost, gained or changed, cut short, or with something before or behind it."""
    value = draw(documents()).encode("utf-8", "surrogatepass")
    place = draw(st.integers(0, len(value)) | st.integers(max(0, len(value) - 3), len(value)))
    byte = draw(
        st.sampled_from([b"", b"}", b"]", b"{", b'"', b",", b":", b"\\", b"0", b"x", b"\xff", b"\x80", b"\x00", b" "])
    )
    rest = value[place + draw(st.integers(0, 2)) :]
    return draw(
        st.sampled_from([value[:place], value[:place] + byte + rest, value + byte, byte + value, value + value])
    )


values = st.one_of(
    documents().map(lambda document: document.encode("utf-8", "surrogatepass")),
    documents().map(lambda document: document.encode("utf-8", "surrogatepass")),
    damaged(),
    anything.map(lambda part: part.encode("utf-8", "surrogatepass")),
    st.binary(max_size=12),
)
