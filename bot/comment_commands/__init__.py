"""The commands that people write in comments: how they are read, and who may give which.

Pure; nothing here knows a forge."""
