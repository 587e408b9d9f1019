{% test rows_hold(model, rules) %}

select *
from {{ model }}
where not ({{ rules | join(') or not (') }})

{% endtest %}
