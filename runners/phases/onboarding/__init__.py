"""What is done on a repository that is new to the bot, before anybody has asked for anything."""
