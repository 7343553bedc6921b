"""The nodes that an operator adds between phases: commands, agents, and several of them at the same time.

They read the change and alter nothing."""
