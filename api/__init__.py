"""The bridge: the only public process, between the channels, Rasa and the desk."""
