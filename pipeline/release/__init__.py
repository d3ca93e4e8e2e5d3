"""Stage 4: statistical disclosure control. Nothing reaches a released folder but through `gate`.

Names are imported from the module they stand in, not from here: a run that has nothing to do opens `ledger` and must
not load NumPy, pandas and the solver for it.
"""
