"""Personal data out of texts and trees before they reach an agent who did not ask for it with a reason.

`Redactor` hides what is known of the customer in whatever spelling it is written, and by its form whatever looks like a
telephone, account, certificate or card number, a door in an address, or a name said of somebody. Amounts, energy,
dates, times, numbers of work orders and the public hotlines stay.
"""

from core.redact.known import Known, known_of_customer, known_of_orders
from core.redact.redactor import Redactor

__all__ = ["Known", "Redactor", "known_of_customer", "known_of_orders"]
