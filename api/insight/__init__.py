"""The dashboards: what supervisors and administrators are served under /v1/insight (JSON of figures, charts, rows)."""
