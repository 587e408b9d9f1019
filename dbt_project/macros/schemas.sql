{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}


{% macro spark__create_schema(relation) -%}
    {%- call statement('create_schema') -%}
        create schema if not exists {{ relation.schema }}
        location {{ dbt.string_literal(lake_root() ~ '/' ~ relation.schema) }}
    {%- endcall -%}
{%- endmacro %}
