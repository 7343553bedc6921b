"""Tools of MCP servers that the operator lists: a small client of the protocol, and what the operator
accepted.

https://modelcontextprotocol.io/specification/2025-11-25"""
