{{ config(
    enabled=has_contracts(['customers']),
    unique_key=['customer_id', 'source_lsn'],
    meta={'update_when': newer_than_what_is_there('changed_at')}
) }}
{%- set proof = newest_proof('customers') %}

with
newest as (
    {{ newest_proven(source('bronze', 'customers'), proof, ['customer_id', 'source_lsn'], 'changed_at') }}
),

changes as (
    select
        customer_id,
        source_lsn,
        op,
        transaction_id,
        is_snapshot,

        {{ token('name') }} as name,  -- noqa: RF04
        {{ token('email') }} as email,
        country,
        segment,

        changed_at,
        _kafka_time,
        _ingested_at,
        _judged_at,

        _topic,
        {{ topic_id(proof) }} as _topic_id,
        _partition,
        _offset,
        _contract_version
    from newest
)

select * from changes
