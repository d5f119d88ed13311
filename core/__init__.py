"""The business of a power company's customer service: knows no Rasa, FastAPI or WeChat."""
