"""How right the guard is about sentences that nothing was tuned on: measured, and written down with its failures."""
