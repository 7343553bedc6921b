"""The flags for vLLM, line by line as vLLM's own recipes have them."""

from itertools import pairwise
from pathlib import Path

import pytest

from runners.models.vllm_families import BY_NAME, family_of

RECIPES = Path(__file__).parents[3] / "corpus" / "vllm_recipes.tsv"
LINES = [
    line.split("\t")
    for line in RECIPES.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
# Where the table departs from a recipe on purpose: what the recipe has, and what the table has in its place.
DEPARTURES = {
    "ByteDance-Seed/Seed-OSS-36B-Instruct": ("", "seed_oss"),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": ("nano_v3", "nemotron_v3"),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8": ("nano_v3", "nemotron_v3"),
    "nvidia/NVIDIA-Nemotron-3-Nano-4B-BF16": ("nano_v3", "nemotron_v3"),
    "nvidia/NVIDIA-Nemotron-3-Nano-4B-FP8": ("nano_v3", "nemotron_v3"),
}
# Its recipe loads a parser from a plugin that no vLLM brings.
NEEDS_A_PLUGIN = "nemotron_json"


@pytest.mark.parametrize(
    ("model", "tools", "reasoning", "images", "flags"), LINES, ids=[line[0] for line in LINES]
)
def test_a_model_is_served_as_its_recipe_says(
    model: str, tools: str, reasoning: str, images: str, flags: str
) -> None:
    family, _ = family_of(model, None)
    if tools == NEEDS_A_PLUGIN:
        assert family is None
        return
    assert family is not None
    wanted, instead = DEPARTURES.get(model, (reasoning, reasoning))
    assert wanted == reasoning
    assert (family.tools, family.reasoning) == (tools, instead)
    assert family.images == bool(images)
    given = {" ".join(pair) for pair in list(pairwise(family.flags))[::2]}
    given |= {f"--chat-template examples/{family.template}"} if family.template else set()
    assert given == set(filter(None, flags.split(" | ")))


def test_the_recipes_are_all_there() -> None:
    assert len(LINES) >= 200 and len({line[0] for line in LINES}) == len(LINES)


@pytest.mark.parametrize(
    ("name", "tools", "reasoning"),
    [
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", ""),
        ("Qwen/Qwen3-Coder-Next-FP8", "qwen3_coder", ""),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", "hermes", ""),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", "hermes", "qwen3"),
        ("mistralai/Devstral-2-123B-Instruct-2512", "mistral", ""),
        ("mistralai/Magistral-Small-2509", "mistral", "mistral"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4_pythonic", ""),
        ("ibm-granite/granite-4.0-h-small", "granite4", ""),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "hermes", "deepseek_r1"),
        ("/srv/models/qwen3.6-27b-fp8", "qwen3_coder", "qwen3"),
    ],
)
def test_models_without_a_recipe_are_known_by_their_family(name: str, tools: str, reasoning: str) -> None:
    family, why = family_of(name, None)
    assert family is not None and (family.tools, family.reasoning) == (tools, reasoning)
    assert "by its name" in why


@pytest.mark.parametrize(
    ("template", "tools", "reasoning"),
    [
        ("{% for t in tools %}<tool_call>\n{{ t }}</tool_call>{% endfor %}", "hermes", ""),
        ("<tool_call> <think>", "hermes", "qwen3"),
        ("<tool_call><function=name>", "qwen3_coder", ""),
        ("<tool_call><function=name><think>", "qwen3_coder", "qwen3"),
        ("[AVAILABLE_TOOLS] [TOOL_CALLS]", "mistral", ""),
        ("[AVAILABLE_TOOLS] [TOOL_CALLS] [THINK]", "mistral", "mistral"),
        ("<|python_tag|>", "llama3_json", ""),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", "deepseek_v31", "deepseek_v3"),
        ("<｜tool▁calls▁begin｜>function<｜tool▁sep｜>", "deepseek_v3", "deepseek_v3"),
        ("<think><｜tool▁calls▁begin｜>function<｜tool▁sep｜>", "deepseek_v3", "deepseek_r1"),
        ("<｜DSML｜function_calls>", "deepseek_v32", "deepseek_v3"),
        ("<｜DSML｜tool_calls>", "deepseek_v4", "deepseek_v4"),
        ("<|start|>assistant<|channel|>commentary", "openai", ""),
        ("<tool_call>{name}<arg_key>", "glm47", "glm45"),
        ("]<]minimax[>[<tool_call>", "minimax_m3", "minimax_m3"),
        ("<|tool_call>call:name{", "gemma4", "gemma4"),
        ("<|tool_call|>[", "granite", ""),
    ],
)
def test_a_family_is_known_by_its_chat_template(template: str, tools: str, reasoning: str) -> None:
    family, why = family_of("no/matter", template)
    assert family is not None and (family.tools, family.reasoning) == (tools, reasoning)
    assert "its chat template holds" in why


def test_the_name_tells_apart_what_templates_share_and_the_template_wins_where_they_differ() -> None:
    shared = "<tool_call><function=name>"
    step, _ = family_of("stepfun-ai/Step-3.5-Flash", shared)
    assert step is not None and step.tools == "step3p5"
    tuned, why = family_of("someone/Llama-3.1-8B-tuned-like-hermes", "<tool_call>{{ call }}</tool_call>")
    assert tuned is not None and tuned.tools == "hermes" and "template holds <tool_call>" in why


def test_a_template_without_tools_and_an_unknown_name_get_no_parser() -> None:
    assert family_of("Qwen/Qwen3", "{{ messages }}")[0] is None
    assert family_of("who/knows", None)[0] is None


def test_models_whose_tokenizer_writes_the_calls_need_no_template() -> None:
    family, why = family_of("deepseek-ai/DeepSeek-V4-Pro", "")
    assert family is not None and family.tools == "deepseek_v4" and "no chat template" in why


def test_flags_come_in_pairs() -> None:
    assert all(len(family.flags) % 2 == 0 for _, family in BY_NAME)
