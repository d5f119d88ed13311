"""Messages that we send first: what each customer wants to hear and where, and how an event reaches all who do."""
