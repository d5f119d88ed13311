"""Handoffs: a person takes over a conversation, and gives it back."""
