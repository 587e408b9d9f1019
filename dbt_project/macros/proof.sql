{% macro newest_proof(contract) -%}
    {%- set tidemarks = source('ops', 'tidemarks') -%}  {#- before the next line: dbt notes here what the model reads -#}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set proof -%}
        with
        proofs as (
            select * from {{ tidemarks }} where contract = '{{ contract }}'
        ),

        newest as (
            select *
            from proofs
            where certificate_id = (select max_by(certificate_id, struct(written_at, certificate_id)) from proofs)
        )
        {%- if is_incremental() %},

        taken as (
            select
                _topic_id,
                _partition,
                max(_offset) as _offset
            from {{ this }}
            where _topic_id is not null
            group by _topic_id, _partition
        ),

        judged as (
            select max(_judged_at) - interval {{ var('overlap_minutes') }} minutes as judged_at from {{ this }}
        )
        {%- endif %}

        select
            newest.topic,
            newest.topic_id,
            newest.partition,
            newest.tidemark,
            newest.table_version,
            {{ 'taken._offset' if is_incremental() else 'null' }} as taken_offset,
            {{ 'cast(judged.judged_at as string)' if is_incremental() else 'null' }} as judged_since
        from newest
        {%- if is_incremental() %}
        cross join judged
        left join taken on newest.topic_id = taken._topic_id and newest.partition = taken._partition
        {%- endif %}
        order by newest.partition
    {%- endset -%}
    {%- set marks = [] -%}
    {%- for row in run_query(proof).rows -%}{%- do marks.append(row.dict()) -%}{%- endfor -%}
    {{ return(marks) }}
{%- endmacro %}


{% macro at_proven_version(proof) -%}
    {%- if proof and proof[0].get('table_version') is not none -%}
        version as of {{ proof[0].table_version }}
    {%- endif -%}
{%- endmacro %}


{% macro below_tidemark(proof) -%}
    {%- if not proof -%}false
    {%- else -%}
    (
        _topic like 'export:%'
        {%- for mark in proof %}
        or ({{ _at_partition(mark) }} and _offset < {{ mark.tidemark }})
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}


{% macro not_taken_yet(proof) -%}
    {%- if not proof or proof[0].judged_since is none -%}true
    {%- else -%}
    (
        _judged_at >= timestamp '{{ proof[0].judged_since }}'
        {%- for mark in proof %}
        or ({{ _at_partition(mark) }}
            {%- if mark.taken_offset is not none %} and _offset >= {{ mark.taken_offset }}{% endif %})
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}


{% macro topic_id(proof) -%}
    {%- if not proof -%}cast(null as string)
    {%- else -%}
    case when _topic = {{ dbt.string_literal(proof[0].topic) }} then {{ dbt.string_literal(proof[0].topic_id) }} end
    {%- endif -%}
{%- endmacro %}


{% macro _at_partition(mark) -%}
    _topic = {{ dbt.string_literal(mark.topic) }} and _partition = {{ mark.partition }}
{%- endmacro %}
