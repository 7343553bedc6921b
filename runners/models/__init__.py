"""Chat models behind one protocol (`chat.py`): vLLM, Anthropic, replay.

They know nothing of tools beyond their JSON schema; the loop knows nothing of providers."""
