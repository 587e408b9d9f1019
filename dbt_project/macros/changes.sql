{% macro days_touched(relation, column) -%}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set versions = versions_since_last_build(relation) -%}
    {%- set asked = days_asked_for() -%}
    {%- if versions is none -%}{{ return(none) }}{%- endif -%}
    {%- if not versions -%}{{ return(asked) }}{%- endif -%}
    {%- set longest = 60 -%}
    {%- set changed -%}
        select distinct cast({{ column }} as date) as day
        from table_changes('{{ relation }}', {{ versions[0] }}, {{ versions[1] }})
        order by day
        limit {{ longest + 1 }}
    {%- endset -%}
    {%- set days = run_query(changed).columns[0].values() | map('string') | list -%}
    {{ return(none if days | length > longest else (asked + days) | unique | sort | list) }}
{%- endmacro %}


{% macro keys_touched(relation, key, column) -%}
    {%- if not execute or not is_incremental() -%}{{ return('true') }}{%- endif -%}
    {%- set versions = versions_since_last_build(relation) -%}
    {%- set asked = days_asked_for() -%}
    {%- if versions is none -%}{{ return('true') }}{%- endif -%}
    {%- set touched = [] -%}
    {%- set longest = 2000 -%}
    {%- if versions -%}
        {#- In one query with the table itself, Spark takes the one for the other (it reuses the exchange): so apart. #}
        {%- set changed -%}
            select distinct concat('x', hex({{ key }})) as touched_key
            from table_changes('{{ relation }}', {{ versions[0] }}, {{ versions[1] }})
            where {{ key }} is not null
            limit {{ longest + 1 }}
        {%- endset -%}
        {%- set keys = run_query(changed).columns[0].values() | list -%}
        {%- if keys | length > longest -%}{{ return('true') }}{%- endif -%}
        {%- set texts = [] -%}
        {%- for each in keys | sort -%}{%- do texts.append("cast(unhex('" ~ each[1:] ~ "') as string)") -%}{%- endfor -%}
        {%- if texts -%}{%- do touched.append(key ~ ' in (' ~ texts | join(', ') ~ ')') -%}{%- endif -%}
    {%- endif -%}
    {%- if asked -%}
        {%- do touched.append(key ~ ' in (select ' ~ key ~ ' from ' ~ relation ~ ' where '
            ~ on_days(column, asked) ~ ')') -%}
    {%- endif -%}
    {#- `false` stands alone: Spark takes `t where (false)` for t under the name `where`, with one column named `false`. #}
    {{ return('(' ~ touched | join(' or ') ~ ')' if touched else 'false') }}
{%- endmacro %}


{% macro with_gone(rows, key, within) -%}
    select * from {{ rows }}
    {%- if is_incremental() %}
    full outer join (select {{ key | join(', ') }} from {{ this }} where {{ within }}) using ({{ key | join(', ') }})
    {%- endif %}
{%- endmacro %}


{% macro days_asked_for() -%}
    {%- set days = [] -%}
    {%- set start = invocation_args_dict.get('event_time_start') -%}
    {%- if start -%}
        {%- set end = invocation_args_dict['event_time_end'] -%}
        {%- set first = modules.datetime.datetime.fromisoformat(start | string).date() -%}
        {%- set last = (modules.datetime.datetime.fromisoformat(end | string)
            - modules.datetime.timedelta(microseconds=1)).date() -%}
        {%- for number in range((last - first).days + 1) -%}
            {%- do days.append((first + modules.datetime.timedelta(days=number)) | string) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(days) }}
{%- endmacro %}


{% macro with_day_after(days) -%}
    {%- if days is none -%}{{ return(none) }}{%- endif -%}
    {%- set more = [] -%}
    {%- for day in days -%}
        {%- do more.append((modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=1)) | string) -%}
    {%- endfor -%}
    {{ return((days + more) | unique | sort | list) }}
{%- endmacro %}


{% macro on_days(column, days, before=none) -%}
    {%- if days is none -%}true
    {%- elif not days -%}false
    {%- else -%}
    (
        {%- for day in days %}
        {{ 'or ' if not loop.first }}({{ column }} >= timestamp '{{ day }}' {{ '- ' ~ before if before }}
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
