{{ config(
    enabled=has_contracts(['app_logs']),
    unique_key='log_id',
    meta={'update_when': newer_than_what_is_there()}
) }}
{%- set proof = newest_proof('app_logs') %}

with
newest as (
    {{ newest_proven(source('bronze', 'app_logs'), proof, ['log_id']) }}
),

logs as (
    select
        log_id,
        service,
        level,
        message,
        host,
        trace_id,

        event_time,
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

select * from logs
