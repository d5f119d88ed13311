"""The ways in which customers reach us; each channel is a module of its own."""
