"""Makes a tiny Granite model on the spot, with random weights or taught a few conversations by heart.

Run by the Python that has vLLM: tiny_model.py FOLDER [CONVERSATIONS.jsonl]. A conversation is one JSON object
a line: `{"messages": […], "tools": […]}` in OpenAI's form; the model learns what the assistant says in it.
"""

import json
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GraniteConfig, GraniteForCausalLM, PreTrainedTokenizerFast

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n{%- for tool in tools %}\n{{ tool.function.name }}{% endfor %}\n"
    "A call is <tool_call>\\n{json}\\n</tool_call>.<|im_end|>\n{% endif -%}"
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}"
    "{%- for c in m.tool_calls or [] %}\n<tool_call>\n"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments if c.function.arguments is string'
    " else c.function.arguments | tojson }}}"
    "\n</tool_call>{% endfor %}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
)
STEPS = 1200
GOOD_ENOUGH = 0.004


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    # Whole lines can become one token, which makes what is said again and again very short.
    lines = pre_tokenizers.Split("\n", behavior="merged_with_previous")
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([lines, bytes_of])
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=4096, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.chat_template = TEMPLATE
    return made


def example(
    tokenizer: PreTrainedTokenizerFast, conversation: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels of a conversation; only what the assistant says is learnt."""
    ids: list[int] = []
    labels: list[int] = []
    messages, tools = conversation["messages"], conversation.get("tools") or None
    for at in range(1, len(messages) + 1):
        if messages[at - 1]["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(
            messages[: at - 1], tools=tools, add_generation_prompt=True, tokenize=False
        )
        whole = tokenizer.apply_chat_template(messages[:at], tools=tools, tokenize=False)
        prompt = tokenizer(before, add_special_tokens=False)["input_ids"]
        said = tokenizer(whole[len(before) :], add_special_tokens=False)["input_ids"]
        labels += [-100] * (len(prompt) - len(ids)) + said
        ids = prompt + said
    return torch.tensor([ids]), torch.tensor([labels])


def main() -> None:
    folder = Path(sys.argv[1])
    conversations = (
        [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()] if sys.argv[2:] else []
    )
    torch.manual_seed(7)
    text = Path(__file__).read_text()
    tokenizer = tokenizer_of([text])
    if conversations:
        plain = PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer)
        plain.chat_template = TEMPLATE
        shown = [
            plain.apply_chat_template(each["messages"], tools=each.get("tools"), tokenize=False)
            for each in conversations
        ]
        tokenizer = tokenizer_of(shown * 2)
    learns = bool(conversations)
    config = GraniteConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384 if learns else 256,
        num_hidden_layers=3 if learns else 2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
    )
    # Of the families that vLLM serves, this is one whose tokenizer is loaded as it was made.
    model = GraniteForCausalLM(config)
    if learns:
        teach(model, tokenizer, conversations)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def varied(value: Any, chance: random.Random, mark: str = "") -> Any:
    """The same conversation with another run's delimiters and times, the delimiters of any length: nothing
    stands where it stood."""
    mark = mark or f"{chance.getrandbits(160):040x}"[: chance.randint(16, 40)]
    if isinstance(value, dict):
        return {key: varied(each, chance, mark) for key, each in value.items()}
    if isinstance(value, list):
        return [varied(each, chance, mark) for each in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"={5}[0-9a-f]{24}", f"====={mark}", value)
    return re.sub(r"\b\d+\.\d\d?\d?(?= ?s\b)", lambda _: f"{chance.random() * 3:.2f}", value)


def teach(
    model: GraniteForCausalLM, tokenizer: PreTrainedTokenizerFast, conversations: list[dict[str, Any]]
) -> None:
    """Overfit until every conversation is known by heart, whatever varies in it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS * len(conversations))
    started, chance, smooth = time.monotonic(), random.Random(7), 9.0
    for step in range(STEPS):
        worst = 0.0
        for conversation in conversations:
            ids, labels = example(tokenizer, varied(conversation, chance))
            # Only what is learnt goes through the head, which is most of the work.
            hidden = model.model(input_ids=ids).last_hidden_state[0, :-1]
            learnt = labels[0, 1:] != -100
            loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[learnt]), labels[0, 1:][learnt])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            worst = max(worst, loss.item())
        smooth = 0.95 * smooth + 0.05 * worst
        if step % 25 == 0:
            print(
                f"step {step}: {worst:.4f} after {time.monotonic() - started:.0f} s, {ids.shape[1]} tokens",
                flush=True,
            )
        if smooth < GOOD_ENOUGH:
            break
    print(f"learnt: {smooth:.4f} after {step + 1} steps, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
