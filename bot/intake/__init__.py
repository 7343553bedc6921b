"""Delivery -> Event -> Command. `events`, `github` and `commands` are pure; `inbox` and `handler` do the I/O."""
