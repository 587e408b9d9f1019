"""What a Dockerfile says, as far as the tests ask for it."""

import re
from pathlib import Path

Instruction = tuple[str, str]


def instructions(path: Path) -> list[Instruction]:
    """Give the instructions of a Dockerfile, each in one line and without comments."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    words = (line.split(" ", 1) for line in joined.splitlines())
    return [(word, rest) for word, rest in words]


def stages(found: list[Instruction]) -> set[str]:
    """Give the names of a Dockerfile's stages."""
    return {words.split(" AS ")[1] for word, words in found if word == "FROM" and " AS " in words}


def copied(found: list[Instruction]) -> set[str]:
    """Give what a Dockerfile takes from the project."""
    taken = (words.split()[:-1] for word, words in found if word == "COPY" and not words.startswith("--from="))
    return {source for sources in taken for source in sources}
