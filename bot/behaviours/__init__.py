"""What the bot does about an event, a module for each behaviour. They decide from values they are given.

Nothing here asks a forge or writes anything; `bot/intake` does both."""
