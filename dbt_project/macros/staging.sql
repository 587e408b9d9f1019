{% macro newest_proven(table, proof, key, event_time='event_time') -%}
    select *
    from (
        select
            *,
            row_number() over (
                partition by {{ key | join(', ') }}
                order by {{ newness(event_time=event_time) }} desc
            ) as _rank
        from {{ table }} {{ at_proven_version(proof) }}
        where
            size(_errors) = 0
            and _value is not null
            and {{ below_tidemark(proof) }}
            {%- if is_incremental() %}
            and {{ not_taken_yet(proof) }}
            {%- endif %}
    )
    where _rank = 1
{%- endmacro %}


{% macro token(column) -%}
    {#- java_method would make the text "null" of a null #}
    case when {{ column }} is not null then java_method('io.tidemark.Token', 'of', {{ column }}) end
{%- endmacro %}


{% macro has_contracts(ids) -%}
    {%- set there = env_var('TIDEMARK_DBT_CONTRACTS', '').split() -%}
    {{ return(not there or not (ids | reject('in', there) | list)) }}
{%- endmacro %}
