"""Leaves unloaded, until something uses them, modules that Great Expectations imports and no suite of ours uses.

They are three tenths of what a gate takes to load. Python's own `LazyLoader` loads a module at its first attribute.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader

# For the divergence of two distributions, and for charts of an expectation's result.
UNUSED = frozenset({"scipy.stats", "altair"})


class _Lazily(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, *_: object) -> ModuleSpec | None:
        found = PathFinder.find_spec(fullname, path) if fullname in UNUSED else None
        if found is not None and found.loader is not None:
            found.loader = LazyLoader(found.loader)
        return found


def leave_unloaded() -> None:
    """Have the modules wait for their first use; call it before Great Expectations is imported."""
    sys.meta_path.insert(0, _Lazily())
