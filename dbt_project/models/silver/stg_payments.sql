{{ config(
    enabled=has_contracts(['card_payments']),
    unique_key='payment_id',
    meta={'update_when': newer_than_what_is_there()}
) }}
{%- set proof = newest_proof('card_payments') %}

with
newest as (
    {{ newest_proven(source('bronze', 'card_payments'), proof, ['payment_id']) }}
),

payments as (
    select
        payment_id,
        {{ token('card_id') }} as card_id,
        customer_id,
        ride_event_id,
        merchant,
        currency,
        country,

        event_time,
        _kafka_time,
        _ingested_at,
        _judged_at,

        amount,

        _topic,
        {{ topic_id(proof) }} as _topic_id,
        _partition,
        _offset,
        _contract_version
    from newest
)

select * from payments
