"""Which runtime may critique the work of others."""

from pathlib import Path

from runners.models.roster import Roster
from runners.models.runtimes import AgentSpec, ModelsConfig, RuntimeSpec


def test_a_peer_is_another_model_than_all_authors() -> None:
    def spec(model: str, temperature: float = 0.2) -> RuntimeSpec:
        return RuntimeSpec(provider="vllm", url="http://x/v1", model=model, temperature=temperature)

    runtimes = {"small": spec("small"), "warm": spec("small", 0.9), "large": spec("large")}
    driver = AgentSpec(runtime="small", candidates=("warm",), escalate=("large",))
    config = ModelsConfig(runtimes=runtimes, agents={"driver": driver, "reviewer": AgentSpec(runtime="warm")})
    roster = Roster(config, "local", {}, Path("profiles"))
    assert roster.peer(["small"]) == "large", "another temperature is the same model"
    assert roster.peer(["large"]) == "warm", "the reviewer comes first"
    assert roster.peer(["small", "large"]) is None
