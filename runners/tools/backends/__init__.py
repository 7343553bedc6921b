"""What tools use beyond files: background processes, HTTP, databases and containers.

Each is bounded and belongs to one run."""
