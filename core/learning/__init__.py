"""Learning from questions: what customers wrote in vain, put into groups, labelled by people, trained, compared."""
