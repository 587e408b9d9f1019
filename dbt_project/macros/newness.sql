{% macro newness(row='', event_time='event_time') -%}
    {%- set of = row ~ '.' if row else '' -%}
    struct(
        {{ of }}{{ event_time }},
        {{ of }}_topic not like 'export:%',
        {{ of }}_kafka_time,
        {{ of }}_partition,
        {{ of }}_offset,
        {{ of }}_judged_at
    )
{%- endmacro %}


{% macro newer_than_what_is_there(event_time='event_time') -%}
    {{ newness('DBT_INTERNAL_SOURCE', event_time) }} > {{ newness('DBT_INTERNAL_DEST', event_time) }}
{%- endmacro %}
