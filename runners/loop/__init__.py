"""The tool loop: asks a model, runs its calls, notices when it repeats itself.

It knows no provider, and providers know no tools. `single_requests/` asks models without tools."""
