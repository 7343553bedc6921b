"""The sandbox: bubblewrap, its limits, and the processes inside.

Untrusted commands run here and nowhere else."""
