"""The simulations run, on few draws; docs/methods.md has the figures of many."""

from tests.simulations import change


def test_changes_are_found_where_wards_double_and_not_where_nothing_changes() -> None:
    made = change.simulate(changed=0.1, factor=2.0, runs=1, seed=1)
    assert made.loc["quarters of the windows", "found"] > 2 * made.loc["Pearson of these windows", "found"]
    assert made["false"].max() <= 5
