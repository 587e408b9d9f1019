{% macro last_of(column, condition='true') -%}
    max_by({{ column }}, {{ newness() }}) filter (where {{ condition }})
{%- endmacro %}
