{{ config(enabled=has_contracts(['sales_events'])) }}

with
silver as (
    select
        cast(event_time as date) as sale_date,
        count(*) as count_sales,
        try_sum(quantity) as sum_quantity,
        sum(try_cast(revenue as decimal(38, 6))) as sum_revenue
    from {{ ref('stg_sales') }}
    group by cast(event_time as date)
),

gold as (
    select
        sale_date,
        sum(count_sales) as count_sales,
        sum(sum_quantity) as sum_quantity,
        sum(sum_revenue) as sum_revenue
    from {{ ref('fct_product_sales_daily') }}
    group by sale_date
),

differing as (
    select
        coalesce(silver.sale_date, gold.sale_date) as sale_date,
        silver.count_sales as silver_sales,
        gold.count_sales as gold_sales,
        silver.sum_quantity as silver_quantity,
        gold.sum_quantity as gold_quantity,
        silver.sum_revenue as silver_revenue,
        gold.sum_revenue as gold_revenue
    from silver
    full outer join gold on silver.sale_date = gold.sale_date
    where
        not silver.count_sales <=> gold.count_sales
        or not silver.sum_quantity <=> gold.sum_quantity
        or not silver.sum_revenue <=> gold.sum_revenue
)

select * from differing
