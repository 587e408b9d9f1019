"""How Cosmos runs dbt: the dbt of the lakehouse's own environment, one build for each layer, a task for each model."""

from typing import Any

from cosmos import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior

from tidemark import dbt_manifest
from tidemark.settings import Settings


def cosmos(layer: str) -> dict[str, Any]:
    """Give a task group's arguments for the models of a layer."""
    settings = Settings.load()
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
            dbt_executable_path=dbt_manifest.program(),
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
        },
    }
