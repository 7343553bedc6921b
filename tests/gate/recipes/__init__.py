"""The table of recipes: changes that cheat with the problem each must get, and honest ones that must pass."""
