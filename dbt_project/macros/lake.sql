{% macro lake_root() -%}
    {%- set root = run_query('set spark.tidemark.lake').columns[1][0] -%}
    {%- if root == '<undefined>' -%}
        {%- do exceptions.raise_compiler_error(
            "this Spark has no setting spark.tidemark.lake, so it is not Tidemark's warehouse; "
            ~ "start that one (make up), or set TIDEMARK_THRIFT_PORT and TIDEMARK_PORT_OFFSET to where it is"
        ) -%}
    {%- endif -%}
    {{ return(root) }}
{%- endmacro %}


{% macro register_lake() -%}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- do run_query('set spark.sql.scripting.enabled = true') -%}
    {%- set tables = graph.sources.values() | sort(attribute='unique_id') | list -%}
    {%- set models = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | list -%}
    {%- set lake = lake_root() -%}
    {%- set known = tables_of_catalog(lake) -%}
    {%- set missing = run_query(registration_script(lake, tables + models, known)).columns[0][0].split() -%}
    {%- set needed = sources_of_selected_models() -%}
    {%- set problems = [] -%}
    {%- for table in tables if table.schema ~ '.' ~ table.identifier in missing -%}
        {%- set line = table.schema ~ '.' ~ table.identifier ~ ': there is no table yet; it is made by: '
            ~ table.config.meta.made_by -%}
        {%- if table.unique_id in needed -%}{%- do problems.append(line) -%}
        {%- else -%}{%- do print(line) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if problems -%}{%- do exceptions.raise_compiler_error(problems | join('\n')) -%}{%- endif -%}
    {{ return('') }}
{%- endmacro %}


{% macro tables_of_catalog(lake) -%}
    {%- set known = [] -%}
    {%- for schema in ['bronze', 'quarantine', 'speed', 'ops', 'silver', 'gold'] -%}
        {%- do run_query('create schema if not exists ' ~ schema ~ ' location '
            ~ dbt.string_literal(lake ~ '/' ~ schema)) -%}
        {%- for row in run_query('show tables in ' ~ schema).rows -%}
            {%- do known.append(schema ~ '.' ~ row[1]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(known) }}
{%- endmacro %}


{% macro registration_script(lake, tables, known) -%}
begin
    declare missing string default '';
    {%- for table in tables %}
    {%- set name = table.schema ~ '.' ~ (table.identifier or table.alias) %}
    {%- set path = lake ~ '/' ~ name | replace('.', '/') %}
    {#- Of a table that is known, only the view is made again: it has the columns that there were when it was made. #}
    {%- if table.schema == 'bronze' or name not in known %}
    begin
        {# CREATE TABLE alone would make an empty table where there is none. #}
        declare exit handler for sqlstate '42P01'
            begin
                set missing = concat(missing, ' {{ name }}');
            end;
        describe delta.`{{ path | replace('`', '``') }}`;
        create table if not exists {{ name }} using delta location {{ dbt.string_literal(path) }};
        {%- if table.schema == 'bronze' %}
        create or replace view quarantine.{{ table.identifier }} as
            select * from {{ name }} where size(_errors) > 0;
        {%- endif %}
    end;
    {%- endif %}
    {%- endfor %}
    select missing;
end
{%- endmacro %}


{% macro sources_of_selected_models() -%}
    {%- set sources = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.unique_id in selected_resources -%}
        {%- do sources.extend(node.depends_on.nodes) -%}
    {%- endfor -%}
    {{ return(sources) }}
{%- endmacro %}


{% macro should_full_refresh() -%}
    {#- What `tidemark dbt --changed` finds to be made otherwise than it was, increments can't bring up to date. -#}
    {%- if model.name in env_var('TIDEMARK_DBT_REFRESH', '').split() -%}{{ return(true) }}{%- endif -%}
    {%- set configured = config.get('full_refresh') -%}
    {{ return(flags.FULL_REFRESH if configured is none else configured) }}
{%- endmacro %}
