"""Portraits (客户画像): what is known of an account from its use, its payments, its contacts and its orders."""
