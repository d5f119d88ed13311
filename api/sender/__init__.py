"""The sender: a process of its own that fans broadcasts out and sends them at the allowed rate.

It shares nothing with the bridge but its database, so that a turn of a conversation does not wait behind a hundred
thousand notices. There is one of it a site; a second one would do no harm but send at twice the rate.
"""
