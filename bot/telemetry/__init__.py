"""What operators watch: health checks, metrics, logs and traces.

Everything is read from the tables and the events of runs; nothing here decides what a run does.
"""
