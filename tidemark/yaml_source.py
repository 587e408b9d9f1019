"""YAML by the safe loader, with the line of every field."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

_LARGEST = 1_000_000  # characters; a contract is a page or two
_DEEPEST = 20  # levels; the parser itself gives up at some hundreds, without saying why
_TEXT_TAG = "tag:yaml.org,2002:str"
Place = Sequence[str | int]


class YamlSource:
    """A YAML text: its data, and where each field stands.

    Raises:
        yaml.YAMLError: the text is not YAML, is too large or too deep, or has an alias (a bomb in disguise), a tag, a
            doubled key or one that is no text.
    """

    def __init__(self, name: str, text: str) -> None:
        if len(text) > _LARGEST:
            raise yaml.YAMLError(f"found {len(text)} characters; allowed are {_LARGEST}")
        _refuse_what_no_contract_needs(text)
        self.name = name
        self._lines: dict[tuple[str | int, ...], int] = {}
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is not None:
                self._walk(root, ())
            self.data: Any = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()

    def at(self, path: Place) -> str:
        """Give `file:line: field` of a field, or of the nearest thing around it that is there."""
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        field = ".".join(str(part) for part in path)
        return f"{self.name}:{self._lines.get(known, 1)}: {field or 'contract'}"

    def told(self, problem: Mapping[str, Any], fields_at: Callable[[Place], Sequence[str]]) -> str:
        """Say `file:line: field: found …; allowed …` of a problem that pydantic has found.

        Args:
            fields_at: gives the fields that are allowed beside one that is not.
        """
        misfit = problem.get("ctx", {}).get("error")
        where: Place = (*problem["loc"], *getattr(misfit, "where", ()))
        if problem["type"] == "missing":
            return f"{self.at(where)}: missing; it is required"
        message = str(problem["msg"]).removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"allowed are {', '.join(fields_at(where))}"
        if problem["type"] == "model_type":
            message = "allowed is a mapping of fields"
        scalar = not isinstance(problem["input"], dict | list)
        found = f"found {shown(problem['input'])}; " if scalar else ""
        return f"{self.at(where)}: {found}{message}"

    def _walk(self, node: yaml.Node, path: tuple[str | int, ...]) -> None:
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.tag != _TEXT_TAG:
                    raise _problem(f"found the key {shown(key.value)}; allowed is text", key.start_mark)
                inner = (*path, key.value)
                if inner in self._lines:
                    raise _problem(f"found {key.value!r} twice; allowed once", key.start_mark)
                self._walk(value, inner)
                self._lines[inner] = key.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, index))


def explained(name: str, error: yaml.YAMLError) -> str:
    """Say `file:line: what is wrong`."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or error
    return f"{name}:{mark.line + 1 if mark else 1}: is not YAML as a contract has it: {problem}"


def shown(value: object) -> str:
    """Quote what was found, cut where it is long."""
    text = repr(value)
    return text if len(text) < 100 else f"{text[:100]}…"


class _Loader(yaml.SafeLoader):
    """The safe loader; a value that can't be had (the 45th of May) is an error with a line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise _problem(f"found {shown(node.value)}; {error}", node.start_mark) from None


def _refuse_what_no_contract_needs(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _problem("found an alias; allowed is none", event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _problem(f"found the tag {tag}; allowed is none", event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _problem(f"found more than {_DEEPEST} levels; allowed are {_DEEPEST}", event.start_mark)


def _problem(what: str, where: Any) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=where)
