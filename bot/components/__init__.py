"""Our own Rasa graph components, one file each."""
