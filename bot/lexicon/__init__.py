"""Closed vocabularies of the understanding, as data."""
