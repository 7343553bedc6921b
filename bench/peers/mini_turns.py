"""Measure turns of mini-swe-agent's loop without a sandbox: mini_turns.py URL TURNS FOLDER.

The Python that runs this must have mini-swe-agent. With an empty URL, its model is the scripted one of its
own tests in the same process; otherwise its own client sends requests by HTTP.
"""

import json
import os
import resource
import statistics
import sys
import time
from itertools import pairwise

os.environ["MSWEA_SILENT_STARTUP"] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment


def main() -> None:
    url, turns, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if url:
        from minisweagent.models.litellm_model import LitellmModel

        kwargs = {"api_base": url, "api_key": "none"}
        model = LitellmModel(model_name="openai/instant", model_kwargs=kwargs, cost_tracking="ignore_errors")
    else:
        from minisweagent.models.test_models import DeterministicModel, make_output

        outputs = [make_output("", [{"command": f"echo {turn}"}], 0.0) for turn in range(turns + 1)]
        model = DeterministicModel(outputs=outputs)
    stamps = []
    ask = model.query

    def query(messages, **more):
        answer = ask(messages, **more)
        stamps.append(time.perf_counter())
        return answer

    model.query = query
    environment = LocalEnvironment(cwd=folder)
    agent = DefaultAgent(
        model,
        environment,
        system_template="You are an engineer.",
        instance_template="Do it.",
        step_limit=turns,
        cost_limit=0.0,
    )
    agent.run("bench")
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": statistics.median(gaps) * 1000, "mb": memory, "turns": len(stamps)}))


main()
