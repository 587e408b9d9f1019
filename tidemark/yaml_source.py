"""YAML by the safe loader, with the line of every field."""

from collections.abc import Sequence
from typing import Any

import yaml

_LARGEST = 1_000_000  # characters; a contract is a page or two


class YamlSource:
    """A YAML text: its data, and where each field stands.

    Raises:
        yaml.YAMLError: the text is not YAML, has an alias (a bomb in disguise), a doubled key, or is too large.
    """

    def __init__(self, name: str, text: str) -> None:
        if len(text) > _LARGEST:
            raise yaml.YAMLError(f"found {len(text)} characters; allowed are {_LARGEST}")
        self.name = name
        self._lines: dict[tuple[str | int, ...], int] = {}
        loader = yaml.SafeLoader(text)
        try:
            _refuse_aliases(text)
            root = loader.get_single_node()
            if root is not None:
                self._walk(root, ())
            self.data: Any = None if root is None else loader.construct_document(root)  # type: ignore[no-untyped-call]
        finally:
            loader.dispose()  # type: ignore[no-untyped-call]

    def at(self, path: Sequence[str | int]) -> str:
        """Give `file:line: field` of a field, or of the nearest thing around it that is there."""
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        field = ".".join(str(part) for part in path)
        return f"{self.name}:{self._lines.get(known, 1)}: {field or 'contract'}"

    def _walk(self, node: yaml.Node, path: tuple[str | int, ...]) -> None:
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*path, key.value)
                if inner in self._lines:
                    raise yaml.YAMLError(f"line {key.start_mark.line + 1}: found {key.value!r} twice; allowed once")
                self._walk(value, inner)
                self._lines[inner] = key.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, index))


def _refuse_aliases(text: str) -> None:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: found an alias; allowed is none")
