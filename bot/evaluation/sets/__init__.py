"""The sets of tasks that Scenarist ships. They hold ids, hashes, and issues and tests of our own."""
