"""Great Expectations' project: its files, the results it keeps, and the site made from them.

All of it but the results is derived and made anew by each gate, so that what a killed one left half-written does no
harm. Gates of several tables run at once: what they share is written under one lock.
"""

import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, cast

import yaml
from great_expectations import get_context
from great_expectations.data_context import FileDataContext
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from tidemark.locks import exclusive
from tidemark.quarantine import MASK
from tidemark.settings import Settings

KEPT = 50  # validations of each table, the newest

_SITE = "quality"
_LOCK_LIMIT_SECONDS = 300.0
_SETTLED_SECONDS = 60.0  # a result older than this is written to its end, or never will be


class _Result(Protocol):
    result: dict[str, Any]
    expectation_config: Any


class _Validation(Protocol):
    results: list[_Result]


class _Results(Protocol):
    def get(self, key: ValidationResultIdentifier) -> _Validation: ...
    def set(self, key: ValidationResultIdentifier, value: _Validation) -> object: ...
    def list_keys(self) -> list[ValidationResultIdentifier]: ...
    def remove_key(self, key: ValidationResultIdentifier) -> object: ...


class Project:
    """The project under `<home>/quality`, with its site under `<home>/docs/quality`."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home.absolute() / "quality"
        self._site = settings.home.absolute() / "docs" / "quality"
        self._locks = settings.run / "locks"

    @contextmanager
    def table_lock(self, table: str) -> Iterator[None]:
        """Hold a table's gate: a second one of the same table waits for the first.

        Raises:
            LockHeld: the first takes too long.
        """
        with exclusive(self._locks / f"gate.{table}", f"the gate of {table}", _LOCK_LIMIT_SECONDS):
            yield

    @contextmanager
    def opened(self, table: str) -> Iterator[FileDataContext]:
        """Open the project to write what a table's gate needs, under the lock that all gates share."""
        with self._lock():
            self._write_configuration()
            self._remove_derived(table)
            context = get_context(mode="file", context_root_dir=self._folder)
            yield context

    def publish(self, context: FileDataContext, result: ValidationResultIdentifier) -> str | None:
        """Make the pages of one result, remove those that are too old, and give the link to the new one."""
        suite = result.expectation_suite_identifier
        with self._lock():
            self._remove_unreadable()
            self._remove_old(context, suite)
            pages = cast("list[ValidationResultIdentifier]", [result, suite])
            context.build_data_docs(site_names=[_SITE], resource_identifiers=pages)
            found = context.get_docs_sites_urls(resource_identifier=result, site_name=_SITE)
        return found[0]["site_url"] if found else None

    def hide(self, context: FileDataContext, result: ValidationResultIdentifier, personal: Collection[str]) -> None:
        """Mask the values of some columns in a result's samples, before any page is made of it."""
        store = _results(context)
        found = store.get(result)
        if [each for each in found.results if mask_samples(each.result, _column(each), personal)]:
            store.set(result, found)

    def forget(self, context: FileDataContext, result: ValidationResultIdentifier) -> None:
        """Remove a result, and the folders that nothing else is in."""
        _results(context).remove_key(result)
        parts = result.to_tuple()  # type: ignore[no-untyped-call]
        folder = self._folder.joinpath("validations", *parts).parent
        for empty in (folder, folder.parent):
            with suppress(OSError):
                empty.rmdir()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with exclusive(self._locks / "quality", "the quality site", _LOCK_LIMIT_SECONDS):
            yield

    def _write_configuration(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f".great_expectations.yml.{os.getpid()}"
        fresh.write_text(yaml.safe_dump(self._configuration()), encoding="utf-8")
        fresh.replace(self._folder / "great_expectations.yml")

    def _configuration(self) -> dict[str, Any]:
        stores = {
            "expectations_store": ("ExpectationsStore", "expectations"),
            "validation_results_store": ("ValidationResultsStore", "validations"),
            "checkpoint_store": ("CheckpointStore", "checkpoints"),
            "validation_definition_store": ("ValidationDefinitionStore", "validation_definitions"),
        }
        return {
            "config_version": 4.0,
            "analytics_enabled": False,
            "progress_bars": {"globally": False, "metric_calculations": False},
            "stores": {
                name: {"class_name": kind, "store_backend": _files(self._folder / folder)}
                for name, (kind, folder) in stores.items()
            },
            "expectations_store_name": "expectations_store",
            "validation_results_store_name": "validation_results_store",
            "checkpoint_store_name": "checkpoint_store",
            "data_docs_sites": {
                _SITE: {
                    "class_name": "SiteBuilder",
                    "show_how_to_buttons": False,
                    "store_backend": _files(self._site),
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", **_view()},
                    "site_section_builders": {"expectations": _view(), "validations": _view(), "profiling": "none"},
                }
            },
        }

    def _remove_derived(self, table: str) -> None:
        self._folder.joinpath("expectations", *table.split(".")).with_suffix(".json").unlink(missing_ok=True)
        for folder in ("checkpoints", "validation_definitions"):
            for path in (self._folder / folder).glob(f"{table}*.json"):
                path.unlink()

    def _remove_unreadable(self) -> None:
        """Remove results that a killed gate left half-written: the index of the site would fail on them for ever."""
        settled = time.time() - _SETTLED_SECONDS
        for path in (self._folder / "validations").rglob("*.json"):
            if not _is_json(path) and path.stat().st_mtime < settled:
                path.unlink()

    def _remove_old(self, context: FileDataContext, suite: ExpectationSuiteIdentifier) -> None:
        results = [key for key in _results(context).list_keys() if key.expectation_suite_identifier == suite]
        results.sort(key=lambda key: key.run_id.run_time, reverse=True)
        for result in results[KEPT:]:
            self.forget(context, result)


def _results(context: FileDataContext) -> _Results:
    return cast("_Results", context.validation_results_store)


def mask_samples(found: dict[str, Any], column: str, personal: Collection[str]) -> bool:
    """Mask what samples show of personal columns; tell whether there was anything."""
    rows = found.get("partial_unexpected_index_list") or []
    for row in rows:
        row.update({name: MASK for name in row if name in personal})
    if column in personal and found.get("partial_unexpected_list"):
        found["partial_unexpected_list"] = [MASK] * len(found["partial_unexpected_list"])
        found["partial_unexpected_counts"] = []
        return True
    return bool(rows) and any(name in personal for name in rows[0])


def _column(result: _Result) -> str:
    return str(result.expectation_config.kwargs.get("column", ""))


def _view() -> dict[str, Any]:
    return {"view": {"module_name": "expectations.pages", "class_name": "OfflinePageView"}}


def _files(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "TupleFilesystemStoreBackend",
        "base_directory": str(folder),
        "suppress_store_backend_id": True,
    }


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
