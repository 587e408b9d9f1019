{{ config(
    enabled=has_contracts(['customers']),
    unique_key='customer_id',
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_versions is null'}
) }}
{%- set touched = keys_touched(ref('stg_customers'), 'customer_id', 'changed_at') %}

with
versions as (
    select
        *,
        min(valid_from) over (partition by customer_id) as first_seen_at
    from {{ ref('int_customer_versions') }}
    where {{ touched }}
),

customers as (
    select
        customer_id,
        source_lsn,

        name,
        email,
        country,
        segment,

        first_seen_at,
        valid_from as changed_at,

        is_deleted,

        cast(version_number as bigint) as count_versions
    from versions
    where is_current
),

replaced as (
    {{ with_gone('customers', ['customer_id'], touched) }}
)

select * from replaced
