"""Stage 4: statistical disclosure control of published counts, in the terms of Hundepool et al. (2012).

Small counts are withheld (primary suppression), and as few others as keep sums and subsets from disclosing them
(secondary suppression). The audit then solves the attacker's problem: the feasibility interval of every withheld count,
given everything published, the known tables and the previous releases, must be at least the threshold wide (its
protection level). Nothing reaches a released folder but through `gate`.

* `gate`: `examine` takes one profile through; only it can make a `released.Released`.
* `linked_tables`: the cells of a release and the relations between them.
* `protect`: suppression, rounding or noise, and the audit, for every audience; what release.json reports.
* `suppression`, `audit`, `rounding`: the methods.
* `detail`: whether a category is given by ward, by group of neighbouring wards or by borough.
* `known_tables`, `earlier_releases`, `calendar`, `ledger`, `sketches`: what readers hold beside this release, and when
  they get more.
* `hotspots`, `circumstances`, `figures`: outlines, descriptions and derived figures that may be shown.

Names are imported from the module they stand in, not from here: a run that has nothing to do opens `ledger` and must
not load NumPy, pandas and the solver for it.
"""
