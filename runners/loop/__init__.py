"""The tool loop: asks a model, runs its calls, notices when it is stuck.

It knows no provider, and providers know no tools."""
