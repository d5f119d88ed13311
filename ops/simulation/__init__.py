"""Customers and agents who are programs: a drill of the desk, and what came of it."""
