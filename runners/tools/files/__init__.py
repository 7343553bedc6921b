"""The tools that read, find, change, move and delete files beneath a workspace, and what they are made of.

No link leads them out of it, whatever commands do there at the same moment."""
