"""Spares processes the seconds in which libraries load what nobody has a use for."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader


class _Lazily(MetaPathFinder):
    def __init__(self, modules: Collection[str]) -> None:
        self._modules = modules

    def find_spec(self, fullname: str, path: Sequence[str] | None, *_: object) -> ModuleSpec | None:
        found = PathFinder.find_spec(fullname, path) if fullname in self._modules else None
        if found is not None and found.loader is not None:
            found.loader = LazyLoader(found.loader)
        return found


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pyarrow would load pandas only because it is there", name=fullname)


def load_at_first_use(modules: Collection[str]) -> None:
    """Have modules wait for the first use of one of their names."""
    sys.meta_path.insert(0, _Lazily(modules))


@contextmanager
def without_pandas() -> Iterator[None]:
    """Hide pandas: pyarrow, when it is loaded, loads it too if it is there, which takes a second.

    Who has loaded pyarrow in here can import pandas afterwards, and make frames of tables.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
