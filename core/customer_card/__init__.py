"""What an agent sees of the customer beside a conversation: everything masked, every part able to be away by itself."""

from core.customer_card.billing import account_ref
from core.customer_card.card import UNAVAILABLE, Sources, customer_card
from core.customer_card.filing import (
    ON_FILE,
    BadFields,
    NoSuchAccount,
    OrderRequest,
    Rules,
    UnknownBusiness,
    file_for_customer,
    needs_account,
)
from core.customer_card.orders import LIFE_SUPPORT, SPECIAL, flags_of, order_detail, order_line, orders_for

__all__ = [
    "LIFE_SUPPORT",
    "ON_FILE",
    "SPECIAL",
    "UNAVAILABLE",
    "BadFields",
    "NoSuchAccount",
    "OrderRequest",
    "Rules",
    "Sources",
    "UnknownBusiness",
    "account_ref",
    "customer_card",
    "file_for_customer",
    "flags_of",
    "needs_account",
    "order_detail",
    "order_line",
    "orders_for",
]
