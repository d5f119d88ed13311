"""The evaluation of understanding: `python -m bot.evaluation`; the service never imports it."""
