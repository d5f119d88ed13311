"""The desk: what agents, supervisors and administrators are served under /v1/desk."""
