"""# maintain_layers

Keeps the tables behind bronze no larger than they must be: a task for each of **speed**, **silver**, **gold**, **ops**.

Once a day files are removed that left their table a day ago (speed, where each micro-batch writes its hour again) or a
week ago, unless a model that was built long ago has still to read what changed since. Where a table of silver, gold or
ops has a hundred small files, they become few.

* **Trigger**: whenever you like. A second run finds nothing to do.
* **It fails** when a table could not be kept: the log says which. One that was written meanwhile is tried again.
"""

from airflow.sdk import DAG
from operators.command import DEFAULTS, CommandOperator

from tidemark import commands

with DAG(
    dag_id="maintain_layers",
    schedule="30 3 * * *",  # no start date: what has just been set up has nothing to keep yet
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    doc_md=__doc__,
    tags=["speed", "silver", "gold", "upkeep"],
    default_args=DEFAULTS,
):
    for layer in ("speed", "silver", "gold", "ops"):
        CommandOperator(task_id=layer, command=commands.maintain_layer(layer), doc_md=f"Upkeep of the layer {layer}.")
