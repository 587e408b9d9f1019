{{ config(
    enabled=has_contracts(['sales_events']),
    unique_key=['sale_date', 'product_id'],
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_sales = 0'}
) }}
{%- set days = days_touched(ref('stg_sales'), 'event_time') %}

with
stg_sales as (
    select * from {{ ref('stg_sales') }}
),

sales as (
    select
        product_id,
        customer_id,
        cast(event_time as date) as sale_date,
        quantity,
        try_cast(revenue as decimal(38, 6)) as revenue
    from stg_sales
    where {{ on_days('event_time', days) }}
),

daily as (
    select
        sale_date,
        product_id,
        count(*) as count_sales,
        count(distinct customer_id) as count_customers,
        try_sum(quantity) as sum_quantity,
        sum(revenue) as sum_revenue
    from sales
    group by sale_date, product_id
),

{% if is_incremental() -%}
there as (
    select * from {{ this }} where {{ on_days('sale_date', days) }}
),

emptied as (
    select
        there.sale_date,
        there.product_id,
        0 as count_sales,
        0 as count_customers,
        0 as sum_quantity,
        0 as sum_revenue
    from there
    left anti join daily on there.sale_date = daily.sale_date and there.product_id = daily.product_id
),

{% endif -%}
replaced as (
    select * from daily
    {% if is_incremental() -%}
    union all
    select * from emptied
    {%- endif %}
),

typed as (
    select
        product_id,
        sale_date,
        count_sales,
        count_customers,
        sum_quantity,
        cast(sum_revenue as decimal(38, 6)) as sum_revenue
    from replaced
)

select * from typed
