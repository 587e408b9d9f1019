"""Avro schemas that refer to others in the registry, as one schema that stands for itself.

Avro defines a named type where it is first used, and names it from then on (Apache Avro's specification, "Names").
"""

import json
from collections.abc import Iterable
from typing import Any

from tidemark.errors import TidemarkError

_NAMED = frozenset(("record", "error", "enum", "fixed"))


def with_definitions(schema: str, referred: Iterable[str]) -> str:
    """Put the definitions of other schemas where a schema first uses them.

    Args:
        referred: the texts of the schemas that it refers to, and of those that these refer to, in any order.

    Raises:
        TidemarkError: one of the texts is no JSON.
    """
    try:
        definitions = {name: each for text in referred for name, each in _defined(json.loads(text))}
        return json.dumps(_Inlined(definitions).of(json.loads(schema), ""))
    except json.JSONDecodeError as error:
        raise TidemarkError(f"a schema that another refers to is no JSON: {error}", "register it anew") from None


class _Inlined:
    """A walk through one schema in the order of the text, as Avro's own parser reads it."""

    def __init__(self, definitions: dict[str, dict[str, Any]]) -> None:
        self._missing = dict(definitions)

    def of(self, node: Any, namespace: str) -> Any:
        """Give a part of the schema, in which short names are of a namespace."""
        if isinstance(node, str):
            return self._named(node, namespace)
        if isinstance(node, list):
            return [self.of(each, namespace) for each in node]
        return self._defined(node, namespace) if isinstance(node, dict) else node

    def _named(self, name: str, namespace: str) -> Any:
        full = name if "." in name else _joined(namespace, name)
        found = next((each for each in (full, name) if each in self._missing), None)
        return name if found is None else self.of(self._missing.pop(found), "")

    def _defined(self, node: dict[str, Any], namespace: str) -> dict[str, Any]:
        kind = node.get("type")
        if kind in _NAMED:
            name, namespace = _place(node, namespace)
            self._missing.pop(_joined(namespace, name), None)
            fields = [each | {"type": self.of(each["type"], namespace)} for each in node.get("fields", [])]
            return node | {"name": name, "namespace": namespace} | ({"fields": fields} if "fields" in node else {})
        inner = {part: self.of(node[part], namespace) for part in ("items", "values") if part in node}
        return node | inner | ({} if inner else {"type": self.of(kind, namespace)})


def _defined(node: Any) -> list[tuple[str, dict[str, Any]]]:
    """Give the named type that a text defines, by its full name; a text of anything else defines none."""
    if not isinstance(node, dict) or node.get("type") not in _NAMED or "name" not in node:
        return []
    name, namespace = _place(node, "")
    return [(_joined(namespace, name), node)]


def _place(node: dict[str, Any], enclosing: str) -> tuple[str, str]:
    """Give a type's short name and its namespace."""
    space, _, name = str(node["name"]).rpartition(".")
    return name, space or str(node.get("namespace", enclosing))


def _joined(namespace: str, name: str) -> str:
    return f"{namespace}.{name}" if namespace else name
