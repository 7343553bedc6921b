"""The forges: `forge.py` holds the protocol and its neutral types, the rest are its adapters."""
