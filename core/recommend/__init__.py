"""Recommendations with yuan from the customer's own data, held to consent, to a measure, and to a refusal."""
