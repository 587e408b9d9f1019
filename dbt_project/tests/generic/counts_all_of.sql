{% test counts_all_of(model, column, rows, only='true') %}

with
counted as (
    select coalesce(sum({{ column }}), 0) as count_rows from {{ model }}
),

there as (
    select count(*) as count_rows from {{ rows }} where {{ only }}
)

select
    counted.count_rows as count_here,
    there.count_rows as count_there
from counted
cross join there
where counted.count_rows <> there.count_rows

{% endtest %}
