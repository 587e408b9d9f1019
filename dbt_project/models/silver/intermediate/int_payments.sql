{{ config(enabled=has_contracts(['card_payments', 'ride_events', 'customers'])) }}

with
payments as (
    select * from {{ ref('stg_payments') }}
),

rides as (
    select * from {{ ref('stg_rides') }} where event_type = 'paid'
),

customers as (
    select * from {{ ref('int_customer_versions') }} where not is_deleted
),

joined as (
    select
        payments.payment_id,
        payments.card_id,
        payments.customer_id,
        payments.ride_event_id,
        rides.ride_id,
        payments.merchant,
        payments.currency,
        payments.country,
        customers.segment as customer_segment,
        customers.country as customer_country,

        payments.event_time as paid_at,
        rides.event_time as ride_paid_at,

        rides.event_id is not null as is_of_known_ride,
        customers.customer_id is not null as is_of_known_customer,
        payments.country <> customers.country as is_abroad,

        try_cast(payments.amount as decimal(38, 6)) as amount,
        try_cast(rides.amount as decimal(38, 6)) as ride_amount
    from payments
    left join rides on payments.ride_event_id = rides.event_id
    left join customers
        on
            payments.customer_id = customers.customer_id
            and payments.event_time >= customers.valid_from
            and (customers.valid_to is null or payments.event_time < customers.valid_to)
)

select * from joined
