{{ config(unique_key='event_id', meta={'update_when': newer_than_what_is_there()}) }}
{%- set proof = newest_proof('ride_events') %}

with
ride_events as (
    select * from {{ source('bronze', 'ride_events') }} {{ at_proven_version(proof) }}
),

proven as (
    select * from ride_events where {{ below_tidemark(proof) }}
),

incoming as (
    select * from proven
    {% if is_incremental() -%}
    where {{ not_taken_yet(proof) }}
    {%- endif %}
),

good as (
    select * from incoming where size(_errors) = 0 and _value is not null
),

ranked as (
    select
        *,
        row_number() over (partition by event_id order by {{ newness() }} desc) as _rank
    from good
),

rides as (
    select
        event_id,
        user_id,
        event_type,

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
    from ranked
    where _rank = 1
)

select * from rides
