"""How Cosmos runs dbt: one build for each layer, of the models that have news, and a task for each model."""

from types import MappingProxyType
from typing import Any

from airflow.sdk import Param
from cosmos import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior
from operators.days import FIRST, LAST, day

from tidemark import commands, dbt_manifest
from tidemark.settings import Settings

# What is above may have been skipped for want of news; what failed above stops all below.
NONE_FAILED = MappingProxyType({"trigger_rule": "none_failed"})

BUILD_FORM = {
    "first": day("First day (UTC) to compute again", "none, what is new alone"),
    "last": day("Last day (UTC)", "the first day"),
    "full_refresh": Param(False, type="boolean", title="Full refresh", description="All rows of all models anew."),
}
_DAYS = "params.first or dag_run.run_type == 'backfill'"
_RANGE = {"start": FIRST, "end": f"{{{{ macros.ds_add({LAST[3:-3]}, 1) }}}}"}


def cosmos(layer: str) -> dict[str, Any]:
    """Give a task group's arguments for the models of a layer."""
    settings = Settings.load()
    program, *words = commands.dbt_of_what_changed()
    return {
        "project_config": ProjectConfig(
            dbt_project_path=dbt_manifest.PROJECT, manifest_path=dbt_manifest.manifest(settings)
        ),
        "profile_config": ProfileConfig(
            profile_name="tidemark",
            target_name="warehouse",
            profiles_yml_filepath=dbt_manifest.PROJECT / "profiles.yml",
        ),
        "execution_config": ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=program,
            setup_operator_args={
                "dbt_cmd_global_flags": words,
                "dbt_cmd_flags": days_flags(),
                "full_refresh": "{{ params.full_refresh }}",
            },
        ),
        "render_config": RenderConfig(
            select=[layer], load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.NONE
        ),
        # The settings themselves are in the environment of Airflow's programs.
        "operator_args": {
            "env": dbt_manifest.places(settings),
            "append_env": True,
            "install_deps": False,
            "pool": "default_pool",
            "poke_interval": 3,  # seconds: what comes behind the last model waits as long
            "dbt_cmd_global_flags": words[:1],  # a model that is tried again is built, news or not
            **NONE_FAILED,
        },
    }


def days_flags() -> list[str]:
    """Give dbt's words for the days to build again: those of the form, or of a backfill; else empty ones."""
    return [
        f"{{% if {_DAYS} %}}{word}{{% endif %}}"
        for name, value in _RANGE.items()
        for word in (f"--event-time-{name}", value)
    ]
