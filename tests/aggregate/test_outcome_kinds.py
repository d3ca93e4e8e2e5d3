"""Kinds of outcome, read from the texts of police data."""

import pytest

from pipeline.aggregate.circumstances import kind_of_outcome


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Suspect charged", "positive"),
        ("Charge/Summons", "positive"),
        ("Offender given a caution", "positive"),
        ("Local resolution", "positive"),
        ("Investigation complete; no suspect identified", "no_suspect"),
        ("Unable to prosecute suspect", "evidential_difficulties"),
        ("Evidential difficulties: named suspect; victim does not support action", "victim_does_not_support"),
        ("Evidential difficulties: suspect identified; victim supports action", "evidential_difficulties"),
        ("Formal action is not in the public interest", "not_in_public_interest"),
        ("Under investigation", "pending"),
        ("Awaiting court outcome", "pending"),
        ("Action to be taken by another organisation", "other"),
        ("Suspect not charged", "other"),
        ("Offender died before proceedings", "other"),
        ("", "not_stated"),
    ],
)  # fmt: skip
def test_outcome_texts_of_the_home_office_and_police_uk(text: str, reason: str) -> None:
    assert kind_of_outcome(text) == reason
    assert kind_of_outcome(text, "positive") == "positive"
    assert kind_of_outcome(text, "pending") == "pending"


def test_what_the_configuration_calls_no_positive_outcome_is_none() -> None:
    assert kind_of_outcome("Suspect charged", "other") == "other"
    assert kind_of_outcome("Victim does not support", "other") == "victim_does_not_support"
