{% macro newness(row='') -%}
    {%- set of = row ~ '.' if row else '' -%}
    struct(
        {{ of }}event_time,
        {{ of }}_topic not like 'export:%',
        {{ of }}_kafka_time,
        {{ of }}_partition,
        {{ of }}_offset,
        {{ of }}_judged_at
    )
{%- endmacro %}


{% macro newer_than_what_is_there() -%}
    {{ newness('DBT_INTERNAL_SOURCE') }} > {{ newness('DBT_INTERNAL_DEST') }}
{%- endmacro %}
