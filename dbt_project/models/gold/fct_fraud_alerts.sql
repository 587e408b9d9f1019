{{ config(
    enabled=has_contracts(['card_payments', 'ride_events', 'customers']),
    materialized='table'
) }}

with
alerts as (
    select * from {{ source('speed', 'fraud_alerts') }}
),

payments as (
    select * from {{ ref('int_payments') }}
),

-- An alert about a payment that is not proven yet waits for the proof.
proven as (
    select
        payments.payment_id,
        alerts.rule,
        payments.card_id,
        payments.customer_id,
        payments.customer_segment,
        payments.ride_id,
        payments.merchant,
        payments.country,
        alerts.from_country,
        payments.currency,

        payments.paid_at,

        alerts.is_final,

        payments.amount,
        alerts.count_payments,
        alerts.speed_kmh
    from alerts
    inner join payments on alerts.payment_id = payments.payment_id
)

select * from proven
