{{ config(
    enabled=has_contracts(['sales_events']),
    unique_key='product_id',
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_sales is null'}
) }}
{%- set touched = keys_touched(ref('stg_sales'), 'product_id', 'event_time') %}

with
sales as (
    select
        *,
        try_cast(revenue as decimal(38, 6)) as exact_revenue
    from {{ ref('stg_sales') }}
    where {{ touched }}
),

products as (
    select
        product_id,
        min(event_time) as first_sold_at,
        max(event_time) as last_sold_at,
        count(*) as count_sales,
        try_sum(quantity) as sum_quantity,
        cast(sum(exact_revenue) as decimal(38, 6)) as sum_revenue,
        {{ last_of('try_divide(revenue, quantity)') }} as last_unit_price
    from sales
    group by product_id
),

replaced as (
    {{ with_gone('products', ['product_id'], touched) }}
)

select * from replaced
