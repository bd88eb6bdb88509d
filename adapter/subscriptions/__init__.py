"""Our R4 Subscriptions on the source server: what they say (`hook`), and keeping them so (`keeper`).

A Subscription only makes the server wake the poller. Nothing here reads a notification.
"""
