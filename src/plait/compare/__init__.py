"""Compare fusions over seeds under an equal budget: plan, rows, tests, verdict."""
