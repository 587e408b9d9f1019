{{ config(
    enabled=has_contracts(['ride_events']) or has_contracts(['sales_events'])
    or has_contracts(['app_logs']) or has_contracts(['sensor_readings']),
    materialized='view'
) }}
{%- set measured = [
    ('ride_events', 'ride_counts', 'ride_events', 'event_type', 'count_events'),
    ('sales_events', 'product_sales', 'product_quantity', 'product_id', 'quantity'),
    ('sales_events', 'product_sales', 'product_revenue', 'product_id', 'revenue'),
    ('app_logs', 'log_errors', 'service_error_rate', 'service', 'error_rate'),
    ('sensor_readings', 'sensor_anomalies', 'sensor_anomalies', "concat_ws('/', sensor_id, metric)", 'count_anomalies'),
] %}
{%- set ns = namespace(is_first=true) %}

with
windows as (
    {%- for contract, table, metric, subject, measure in measured if has_contracts([contract]) %}
    {% if not ns.is_first %}union all{% endif %}{% set ns.is_first = false %}
    select
        '{{ metric }}' as metric,
        {{ subject }} as subject,
        window_start,
        window_end,
        cast({{ measure }} as double) as measure,
        is_final,
        updated_at
    from {{ source('speed', table) }}
    {%- endfor %}
),

reconciled as (
    select distinct
        metric,
        cast(window_start as date) as window_date
    from windows
    where is_final
),

served as (
    select
        windows.metric,
        windows.subject,

        windows.window_start,
        windows.window_end,
        windows.updated_at,

        windows.measure,

        case when windows.is_final then 'batch' else 'stream' end as serving
    from windows
    left join reconciled
        on windows.metric = reconciled.metric and cast(windows.window_start as date) = reconciled.window_date
    -- Of a day that is reconciled, what a stream says later is not served.
    where windows.is_final or reconciled.window_date is null
)

select * from served
