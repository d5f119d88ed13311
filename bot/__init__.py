"""Everything that the Rasa process reads: components, channel, domain and lexicon."""
