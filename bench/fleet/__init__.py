"""A simulation of whole fleets.

`simulation.py` knows queues and a shared server, `fleet.py` what Scenarist asks of them, `measured.py` how
long things take, `arrivals.py` when runs are asked for; `report.py` prints."""

from bench.fleet.report import run

__all__ = ["run"]
