"""Git: mirrors, worktrees, bundles and hardened commands.

Nothing that a repository configures is executed."""
