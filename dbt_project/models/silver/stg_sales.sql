{{ config(
    enabled=has_contracts(['sales_events']),
    unique_key='sale_id',
    meta={'update_when': newer_than_what_is_there()}
) }}
{%- set proof = newest_proof('sales_events') %}

with
newest as (
    {{ newest_proven(source('bronze', 'sales_events'), proof, ['sale_id']) }}
),

sales as (
    select
        sale_id,
        product_id,
        customer_id,
        source,
        version,

        event_time,
        _kafka_time,
        _ingested_at,
        _judged_at,

        quantity,
        revenue,

        _topic,
        {{ topic_id(proof) }} as _topic_id,
        _partition,
        _offset,
        _contract_version
    from newest
)

select * from sales
