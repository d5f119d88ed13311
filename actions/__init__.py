"""rasa-sdk actions: each reads the question, calls one function of `core` and names one response."""
