{% macro days_touched(relation, column) -%}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set versions = versions_since_last_build(relation) -%}
    {%- if not versions -%}{{ return(versions) }}{%- endif -%}
    {%- set longest = 60 -%}
    {%- set changed -%}
        select distinct cast({{ column }} as date) as day
        from table_changes('{{ relation }}', {{ versions[0] }}, {{ versions[1] }})
        order by day
        limit {{ longest + 1 }}
    {%- endset -%}
    {%- set days = run_query(changed).columns[0].values() | map('string') | list -%}
    {{ return(none if days | length > longest else days) }}
{%- endmacro %}


{% macro on_days(column, days) -%}
    {%- if days is none -%}true
    {%- elif not days -%}false
    {%- else -%}
    (
        {%- for day in days %}
        {{ 'or ' if not loop.first }}({{ column }} >= timestamp '{{ day }}'
            and {{ column }} < timestamp '{{ day }}' + interval 1 day)
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}


{% macro versions_since_last_build(relation) -%}
    {%- set overlap = modules.datetime.timedelta(minutes=var('overlap_minutes')) -%}
    {%- set built_at = last_built_at(this) -%}
    {%- if built_at is none -%}{{ return(none) }}{%- endif -%}
    {%- set history = run_query('describe history ' ~ relation ~ ' limit 100').rows -%}
    {%- set new = history | selectattr('timestamp', 'ge', built_at - overlap) | list -%}
    {%- if not new -%}{{ return([]) }}{%- endif -%}
    {%- set row_wise = [
        'MERGE', 'UPDATE', 'DELETE', 'OPTIMIZE', 'VACUUM START', 'VACUUM END', 'ADD COLUMNS', 'SET TBLPROPERTIES'
    ] -%}
    {%- set kept = modules.datetime.timedelta(days=6) -%}
    {%- set untold = new | length == history | length
        or new | rejectattr('operation', 'in', row_wise) | list
        or new[-1].timestamp < new[0].timestamp - kept -%}
    {{ return(none if untold else [new[-1].version, new[0].version]) }}
{%- endmacro %}


{% macro last_built_at(relation) -%}
    {%- for commit in run_query('describe history ' ~ relation ~ ' limit 20').rows -%}
        {%- if commit.operation == 'MERGE' or 'TABLE AS SELECT' in commit.operation -%}
            {{ return(commit.timestamp) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}
