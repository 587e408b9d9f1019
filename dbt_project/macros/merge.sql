{% macro spark__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- set columns = adapter.get_columns_in_relation(target) | map(attribute='name') | list -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set update_when = meta.get('update_when') or differs(columns) -%}
    {%- set delete_when = meta.get('delete_when', 'false') -%}
    merge into {{ target }} as DBT_INTERNAL_DEST
    using (
        {# Delta rewrites every file that has a match, whatever a clause's condition says: so only changes get here. #}
        select DBT_INTERNAL_SOURCE.*
        from {{ source }} as DBT_INTERNAL_SOURCE
        left join {{ target }} as DBT_INTERNAL_DEST on {{ same_key(keys, incremental_predicates) }}
        where
            case
                when DBT_INTERNAL_DEST.{{ keys[0] }} is null then not ({{ delete_when }})
                else {{ delete_when }} or {{ update_when }}
            end
    ) as DBT_INTERNAL_SOURCE
    on {{ same_key(keys, incremental_predicates) }}
    when matched and {{ delete_when }} then delete
    when matched and {{ update_when }} then update set *
    when not matched and not ({{ delete_when }}) then insert *
{%- endmacro %}


{% macro same_key(keys, predicates) -%}
    {%- set conditions = [] -%}
    {%- for key in keys -%}
        {%- do conditions.append('DBT_INTERNAL_DEST.' ~ key ~ ' = DBT_INTERNAL_SOURCE.' ~ key) -%}
    {%- endfor -%}
    {{ (conditions + (predicates or [])) | join(' and ') }}
{%- endmacro %}


{% macro differs(columns) -%}
    {%- set same = [] -%}
    {%- for column in columns -%}
        {%- do same.append('DBT_INTERNAL_DEST.' ~ column ~ ' <=> DBT_INTERNAL_SOURCE.' ~ column) -%}
    {%- endfor -%}
    not ({{ same | join(' and ') }})
{%- endmacro %}
