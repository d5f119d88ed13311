"""Channels that push: who writes over them, what waits to be sent to whom, and how much may still be sent."""
