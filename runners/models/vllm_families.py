"""The flags with which vLLM serves each family of models, found by name and by chat template.

The table follows vLLM's own recipes (https://github.com/vllm-project/recipes, 21 August 2026; vLLM 0.33)
and, for older families, its page on tool calls (https://docs.vllm.ai/en/latest/features/tool_calling/).
Where it departs from the recipes, a comment says why. Two kinds of flags are left out on purpose:
`--trust-remote-code`, which runs code of the model's author, and flags that tune for one machine.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFamily:
    """Names of vLLM's parsers for calls (`tools`) and thoughts (`reasoning`), and further flags.

    `template` is a chat template of vLLM's source tree, which its wheel does not have. `images` says that
    the model has an encoder for images, which Scenarist never uses.
    """

    tools: str
    reasoning: str = ""
    flags: tuple[str, ...] = ()
    template: str = ""
    images: bool = False


_MISTRAL = ("--tokenizer-mode", "mistral", "--config-format", "mistral", "--load-format", "mistral")
_FP8_CACHE = ("--kv-cache-dtype", "fp8")
_BFLOAT16 = ("--dtype", "bfloat16")
_AUTHORS_SAMPLING = ("--generation-config", "vllm")
_GEMMA = "tool_chat_template_gemma4.jinja"
_V4 = (*_FP8_CACHE, "--block-size", "256", "--tokenizer-mode", "deepseek_v4")
_V4_FLASH = '{"reasoning_parser":"deepseek_v4","reasoning_start_str":"","reasoning_end_str":""}'

# Patterns for a model's name in lower case; the first match decides.
BY_NAME: tuple[tuple[str, ModelFamily], ...] = (
    # Distilled models write calls like the base models that they were made from.
    (r"r1-distill-qwen", ModelFamily("hermes", "deepseek_r1")),
    (r"r1-distill-llama", ModelFamily("llama3_json", "deepseek_r1")),
    # Qwen
    (r"qwen3\.8-2\.4t", ModelFamily("qwen3_coder", "qwen3")),
    (r"qwen3\.[5-9]", ModelFamily("qwen3_coder", "qwen3", images=True)),
    (r"qwen3-?coder", ModelFamily("qwen3_coder")),
    (r"qwen3.*instruct", ModelFamily("hermes")),
    (r"qwen3|qwq", ModelFamily("hermes", "qwen3")),
    (r"mellum.*thinking", ModelFamily("hermes", "qwen3")),
    (r"nous.*hermes|hermes-[234]|qwen|mellum", ModelFamily("hermes")),
    # OpenAI
    (r"gpt-oss", ModelFamily("openai")),
    # DeepSeek
    (
        r"deepseek.*v4-flash",
        ModelFamily("deepseek_v4", "deepseek_v4", (*_V4, "--reasoning-config", _V4_FLASH)),
    ),
    (r"deepseek.*v4", ModelFamily("deepseek_v4", "deepseek_v4", _V4)),
    (r"deepseek.*v3\.2", ModelFamily("deepseek_v32", "deepseek_v3", ("--tokenizer-mode", "deepseek_v32"))),
    (
        r"deepseek.*v3\.1",
        ModelFamily("deepseek_v31", "deepseek_v3", template="tool_chat_template_deepseekv31.jinja"),
    ),
    (
        r"deepseek.*r1",
        ModelFamily("deepseek_v3", "deepseek_r1", template="tool_chat_template_deepseekr1.jinja"),
    ),
    (
        r"deepseek.*v3",
        ModelFamily("deepseek_v3", "deepseek_v3", template="tool_chat_template_deepseekv3.jinja"),
    ),
    # Mistral
    (r"mistral-small-4", ModelFamily("mistral", "mistral")),
    (r"ministral.*reasoning|mistral-medium-3\.5", ModelFamily("mistral", "mistral", _MISTRAL, images=True)),
    (r"magistral", ModelFamily("mistral", "mistral", _MISTRAL)),
    (r"ministral-3|mistral-large-3", ModelFamily("mistral", "", _MISTRAL, images=True)),
    (r"mistral|mixtral|codestral|devstral|voxtral", ModelFamily("mistral", "", _MISTRAL)),
    # Meta
    (r"muse-glimmer", ModelFamily("muse_glimmer", "muse_glimmer", ("--generation-config", "auto"))),
    (r"llama-?4", ModelFamily("llama4_pythonic", template="tool_chat_template_llama4_pythonic.jinja")),
    (r"llama-?3\.2", ModelFamily("llama3_json", template="tool_chat_template_llama3.2_json.jinja")),
    (r"llama-?3", ModelFamily("llama3_json", template="tool_chat_template_llama3.1_json.jinja")),
    # Moonshot
    (r"kimi-?k3", ModelFamily("kimi_k3", "kimi_k3", images=True)),
    (r"kimi-?k2\.[5-9]", ModelFamily("kimi_k2", "kimi_k2", images=True)),
    (r"kimi-?k2-?thinking", ModelFamily("kimi_k2", "kimi_k2")),
    (r"kimi-?k2", ModelFamily("kimi_k2")),
    # MiniMax
    (r"minimax-?m3", ModelFamily("minimax_m3", "minimax_m3", ("--block-size", "128"), images=True)),
    (r"minimax-?m2", ModelFamily("minimax_m2", "minimax_m2")),
    # Zhipu (Z.ai)
    (r"glm-?5\.[2-9]|macaron-v1", ModelFamily("glm47", "glm45", ("--kv-cache-dtype", "fp8_e4m3"))),
    (r"glm-?5", ModelFamily("glm47", "glm45", ("--chat-template-content-format", "string"))),
    (r"glm-?4\.7", ModelFamily("glm47", "glm45")),
    (r"glm-?4\.[56]v", ModelFamily("glm45", "glm45", images=True)),
    (r"glm-?4\.[56]", ModelFamily("glm45", "glm45")),
    # Google
    (r"diffusiongemma|gemma-?4-12b", ModelFamily("gemma4", "gemma4", template=_GEMMA)),
    (r"gemma-?4", ModelFamily("gemma4", "gemma4", template=_GEMMA, images=True)),
    # NVIDIA. The recipe for Nano names a parser of a plugin (nano_v3); vLLM has nemotron_v3 built in by now.
    (r"nemotron-3-super|nemotron-3\.5", ModelFamily("qwen3_xml", "nemotron_v3")),
    (r"nemotron-3-ultra", ModelFamily("qwen3_coder", "nemotron_v3", _FP8_CACHE)),
    (r"nemotron-3", ModelFamily("qwen3_coder", "nemotron_v3")),
    # Xiaomi, StepFun, Tencent, inclusionAI, poolside, Thinking Machines, Liquid, Arcee and others
    (r"mimo-v2-flash", ModelFamily("qwen3_xml", "qwen3", _AUTHORS_SAMPLING)),
    (r"mimo-v2", ModelFamily("mimo", "mimo", _AUTHORS_SAMPLING)),
    (r"step-?3\.[5-9]", ModelFamily("step3p5", "step3p5")),
    (r"step-?3", ModelFamily("step3", "step3")),
    (r"\bhy3", ModelFamily("hy_v3", "hy_v3")),
    (r"hunyuan-a13b", ModelFamily("hunyuan_a13b", "hunyuan_a13b")),
    (r"ling-?3", ModelFamily("ling3", "ling3", _BFLOAT16)),
    (
        r"laguna-m",
        ModelFamily(
            "poolside_v1", "poolside_v1", ("--default-chat-template-kwargs", '{"enable_thinking": true}')
        ),
    ),
    (r"laguna", ModelFamily("poolside_v1", "poolside_v1")),
    (r"inkling", ModelFamily("inkling", "inkling", ("--tokenizer-mode", "inkling"))),
    (r"lfm2.*(thinking|8b-a1b)", ModelFamily("lfm2", "qwen3")),
    (r"lfm2", ModelFamily("lfm2")),
    (r"trinity-large", ModelFamily("qwen3_coder", "deepseek_r1", _BFLOAT16)),
    (r"intern-s2", ModelFamily("qwen3_coder", "qwen3", images=True)),
    (r"intern-s1", ModelFamily("internlm", "deepseek_r1", images=True)),
    (r"dots3", ModelFamily("dots", "qwen3", ("--block-size", "64"), images=True)),
    (r"minicpm-v-4\.6", ModelFamily("qwen3_coder")),
    # The recipe names no reasoning parser, which leaves thoughts in the answers; vLLM has one.
    (r"seed-?oss", ModelFamily("seed_oss", "seed_oss")),
    (r"granite-?4", ModelFamily("granite4")),
    (r"granite", ModelFamily("granite")),
    (r"phi-4-mini", ModelFamily("phi4_mini_json")),
    (r"olmo-?3", ModelFamily("olmo3")),
    (r"xlam", ModelFamily("xlam")),
)


@dataclass(frozen=True)
class Mark:
    """A text by which a chat template with tool calls is recognised.

    `tools` are the parsers that read such calls; the first is used when the model's name is not known.
    `thinking` is the parser of thoughts for a template that contains ``<think>``, `else_by` for others.
    """

    text: str
    tools: tuple[str, ...]
    thinking: str = ""
    else_by: str = ""


# The most specific first.
BY_TEMPLATE: tuple[Mark, ...] = (
    Mark("<|tool_calls_section_begin|>", ("kimi_k2",), "kimi_k2", "kimi_k2"),
    Mark("]<]minimax[>[", ("minimax_m3",), "minimax_m3", "minimax_m3"),
    Mark("<minimax:tool_call>", ("minimax_m2",), "minimax_m2", "minimax_m2"),
    Mark("<|tool_call>", ("gemma4",), "gemma4", "gemma4"),
    Mark("DSML｜tool_calls", ("deepseek_v4",), "deepseek_v4", "deepseek_v4"),
    Mark("｜DSML｜", ("deepseek_v32",), "deepseek_v3", "deepseek_v3"),
    Mark("<｜tool▁calls▁begin｜>function", ("deepseek_v3",), "deepseek_r1", "deepseek_v3"),
    Mark("<｜tool▁calls▁begin｜>", ("deepseek_v31", "deepseek_v3"), "deepseek_v3", "deepseek_v3"),
    Mark("<|channel|>", ("openai",)),
    Mark("<arg_key>", ("glm47", "glm45", "ling3", "poolside_v1"), "glm45", "glm45"),
    Mark("<seed:tool_call>", ("seed_oss",), "seed_oss", "seed_oss"),
    Mark("[TOOL_CALLS]", ("mistral",)),
    Mark("<|tool_call_start|>", ("lfm2",), "qwen3"),
    Mark("<function=", ("qwen3_coder", "qwen3_xml", "step3p5", "mimo"), "qwen3"),
    Mark("<|python_tag|>", ("llama3_json", "llama4_pythonic")),
    Mark("<|tool_call|>", ("granite", "granite4", "phi4_mini_json")),
    Mark("<tool_call>", ("hermes", "granite4", "hy_v3", "internlm", "mimo", "dots"), "qwen3"),
)


def family_of(model: str, template: str | None) -> tuple[ModelFamily | None, str]:
    """Return the family of a model and, in words, how it was found.

    `template` is the model's chat template, empty if it has none, and None if the model is not on this
    machine yet. The name decides, unless the template has calls that the parsers of that name cannot read.
    """
    named = by_name(model)
    if template is None:
        if named is None:
            return None, "its family is not known, so its calls come as text"
        return named, "by its name, because the model is not on this machine yet"
    mark = next((each for each in BY_TEMPLATE if each.text in template), None)
    if mark is None:
        # Some models need no template for calls: their tokenizer or a template of vLLM writes them.
        if named is not None and (named.template or "--tokenizer-mode" in named.flags):
            return named, "by its name, because it has no chat template with tools"
        return None, "its chat template has no tools, so its calls come as text"
    if named is not None and named.tools in mark.tools:
        return named, f"by its name; its chat template holds {mark.text}"
    reasoning = mark.thinking if "<think>" in template else mark.else_by
    if mark.tools == ("mistral",) and "[THINK]" in template:
        reasoning = "mistral"
    return ModelFamily(mark.tools[0], reasoning), f"its chat template holds {mark.text}"


def by_name(model: str) -> ModelFamily | None:
    """Return the family of a model by its name, None if the name is not known."""
    name = model.lower()
    return next((family for pattern, family in BY_NAME if re.search(pattern, name)), None)
