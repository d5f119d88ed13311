"""Segments (客户细分): the groups by which service is fitted, found from portraits and never told to a customer."""
