"""The run's report: one HTML page."""
