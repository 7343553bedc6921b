"""Who requests a page, and what they may see and do: sessions, failed attempts, rights on the forge.

Nothing here makes a page.
"""
