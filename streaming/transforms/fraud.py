"""Fraud on cards: too many payments at once, and trips that nobody can make.

Both rules look back from a payment over the earlier ones of its card, whatever order they came in. So a card's payments
are kept in windows of twice the look-back, and each payment is judged in the one window that has all of its look-back.
More payments can only raise what is found: an alert is never taken back.
"""

import json

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tidemark.countries import COUNTRIES, distance_km

VELOCITY, TRAVEL = "velocity", "impossible_travel"

VELOCITY_PAYMENTS = 5
VELOCITY_MINUTES = 5
TRAVEL_KMH = 1000  # airliners reach 950
TRAVEL_KM = 1000  # the middles of two neighbours may be far apart, and their border near
LOOK_BACK_MINUTES = 360
LONGEST_WINDOW_MINUTES = 2 * LOOK_BACK_MINUTES

_MICROS = 1_000_000
_JUDGED = 500  # the newest payments of a card in a window that are judged: more are no card any more


def fraud_alerts(payments: DataFrame) -> DataFrame:
    """Give an alert for each payment and rule that it breaks."""
    window = F.window("event_time", f"{LONGEST_WINDOW_MINUTES} minutes", f"{LOOK_BACK_MINUTES} minutes")
    # A set: a payment that was sent twice is one.
    cards = payments.groupBy("card_id", window).agg(F.collect_set(_payment()).alias("payments"))
    newest = F.slice(F.sort_array("payments"), -_JUDGED, _JUDGED)
    known = cards.where(F.size("payments") > 1).select(
        "card_id",
        F.when(F.size("payments") > _JUDGED, newest).otherwise(F.sort_array("payments")).alias("payments"),
        (F.unix_micros("window.end") - LOOK_BACK_MINUTES * 60 * _MICROS).alias("judged_from"),
    )
    # Worked out once for a card, as it is read twice below: what Spark reads once, it works out for each payment.
    placed = known.withColumn("home", _home(F.col("payments"))).withColumn("away", _away())
    alerts = placed.select("card_id", F.explode(F.array_compact(F.concat(_too_often(), _too_far()))).alias("alert"))
    return alerts.select(
        F.col("alert.payment_id"),
        F.col("alert.rule"),
        F.col("card_id"),
        F.col("alert.customer_id"),
        F.timestamp_micros("alert.at").alias("event_time"),
        F.col("alert.country"),
        F.col("alert.count_payments"),
        F.col("alert.from_country"),
        F.col("alert.speed_kmh"),
    )


def _payment() -> Column:
    # In this order, since that is how they are sorted.
    return F.struct(F.unix_micros("event_time").alias("at"), "payment_id", "customer_id", "country")


def _home(payments: Column) -> Column:
    """Give the country of most of a card's payments, if most are in one."""
    countries = F.sort_array(payments["country"])
    return F.coalesce(F.get(countries, F.floor(F.size(countries) / 2).cast("int")), F.lit(""))


def _away() -> Column:
    return F.filter("payments", lambda payment: payment["country"] != F.col("home"))


def _is_judged(payment: Column) -> Column:
    return payment["at"] >= F.col("judged_from")


def _too_often() -> Column:
    """Give the alerts of velocity.

    Only of few payments are the earlier ones counted: those which the fourth before is near, in the order of time. Of
    several at once only the last has them all before it, so the others are counted for too.
    """
    payments = F.col("payments")

    def may_be(payment: Column, index: Column) -> Column:
        fourth_before = F.get(payments, index - (VELOCITY_PAYMENTS - 1))
        is_near = F.coalesce(_is_within(fourth_before, payment, VELOCITY_MINUTES), F.lit(False))
        return _is_judged(payment) & (is_near | (F.get(payments, index + 1)["at"] == payment["at"]))

    def alert(payment: Column) -> Column:
        count = F.size(F.filter(payments, lambda other: _is_within(other, payment, VELOCITY_MINUTES)))
        none = F.lit(None)
        return F.when(count >= VELOCITY_PAYMENTS, _alert(payment, VELOCITY, count, none, none))

    return F.transform(F.filter(payments, may_be), alert)


def _too_far() -> Column:
    """Give the alerts of impossible travel: a payment at home is compared with those that are not."""
    payments, away = F.col("payments"), F.col("away")

    def alert(payment: Column) -> Column:
        others = F.when(payment["country"] == F.col("home"), away).otherwise(payments)
        abroad = F.filter(others, lambda other: _is_trip(other, payment))
        trips = F.transform(abroad, lambda other: _trip(other, payment))
        fastest = F.array_max(F.filter(trips, lambda trip: trip["speed_kmh"] > TRAVEL_KMH))  # null: not far
        far = _alert(payment, TRAVEL, F.lit(None), fastest["country"], fastest["speed_kmh"])
        return F.when(fastest.isNotNull(), far)

    suspects = F.filter(payments, lambda payment: _is_judged(payment) & (F.size(away) > 0))
    return F.transform(suspects, alert)


def _alert(payment: Column, rule: str, count: Column, country: Column, speed: Column) -> Column:
    return F.struct(
        *[payment[name].alias(name) for name in ("payment_id", "at", "customer_id", "country")],
        F.lit(rule).alias("rule"),
        count.cast("int").alias("count_payments"),
        country.cast("string").alias("from_country"),
        speed.cast("bigint").alias("speed_kmh"),
    )


def _is_within(other: Column, payment: Column, minutes: int) -> Column:
    return (other["at"] <= payment["at"]) & (other["at"] > payment["at"] - minutes * 60 * _MICROS)


def _is_trip(other: Column, payment: Column) -> Column:
    return _is_within(other, payment, LOOK_BACK_MINUTES) & (other["country"] != payment["country"])


def _trip(other: Column, payment: Column) -> Column:
    """Give the speed that somebody needs to make both payments; at once counts as a second."""
    seconds = F.greatest((payment["at"] - other["at"]) / _MICROS, F.lit(1.0))
    speed = F.floor(_kilometres()[other["country"]][payment["country"]] / seconds * 3600)
    return F.struct(speed.alias("speed_kmh"), other["country"].alias("country"))


def _kilometres() -> Column:
    """Map two countries, one after the other, to the distance between their middles, where it is far."""
    far = {
        one: {other: km for other in COUNTRIES if (km := round(distance_km(one, other))) > TRAVEL_KM}
        for one in COUNTRIES
    }
    # One constant, where maps of literals would be two thousand expressions in each micro-batch's plan.
    return F.from_json(F.lit(json.dumps(far)), "map<string, map<string, int>>")
