"""Files beneath a workspace: opened without following links, decoded, searched, replaced and patched.

The file tools are made of these."""
