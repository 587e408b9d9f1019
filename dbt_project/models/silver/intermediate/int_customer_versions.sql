{{ config(enabled=has_contracts(['customers'])) }}

with
changes as (
    select
        *,
        -- A source's clock may go back; its positions don't, and they are what the versions follow.
        max(changed_at) over (partition by customer_id order by source_lsn) as valid_from
    from {{ ref('stg_customers') }}
),

followed as (
    select
        *,
        lead(valid_from) over (partition by customer_id order by source_lsn) as valid_to,
        row_number() over (partition by customer_id order by source_lsn) as version_number,
        row_number() over (partition by customer_id order by source_lsn desc) = 1 as is_current
    from changes
),

versions as (
    select
        customer_id,
        source_lsn,
        version_number,
        op = 'd' as is_deleted,
        is_current,
        valid_from,
        valid_to,
        case when op <> 'd' then name end as name,  -- noqa: RF04
        case when op <> 'd' then email end as email,
        case when op <> 'd' then country end as country,
        case when op <> 'd' then segment end as segment
    from followed
)

select * from versions
