"""The base of all expected errors: each has a code that names its `utter_` response."""

from __future__ import annotations


class BusinessError(Exception):
    """Something a customer can run into in ordinary use; `code` selects the wording, `values` fill it."""

    code = "business_error"

    def __init__(self, **values: str) -> None:
        super().__init__(self.code)
        self.values = values


class NotIdentified(BusinessError):
    """The question is about an account, and nobody has proved who asks."""

    code = "not_identified"


class AccountNotYours(BusinessError):
    """The account is not bound to this customer; also said when it does not exist, in the same words."""

    code = "account_not_yours"
