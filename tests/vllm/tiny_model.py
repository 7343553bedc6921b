"""Makes a tiny Qwen2 model on the spot, with random weights or taught a few conversations by heart.

Run by the Python that has vLLM: tiny_model.py FOLDER [CONVERSATIONS.jsonl]. A conversation is one JSON object a line:
`{"messages": […], "tools": […]}` in OpenAI's form; the model learns what the assistant says in it.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

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
STEPS = 300
GOOD_ENOUGH = 0.002


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    # Whole lines can become one token, which makes what is said again and again very short.
    lines = pre_tokenizers.Split("\n", behavior="merged_with_previous")
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([lines, bytes_of])
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=8192, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.chat_template = TEMPLATE
    return made


def examples(
    tokenizer: PreTrainedTokenizerFast, conversations: list[dict[str, Any]]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and labels of each conversation; only what the assistant says is learnt."""
    out = []
    for each in conversations:
        ids: list[int] = []
        labels: list[int] = []
        messages, tools = each["messages"], each.get("tools") or None
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
        out.append((torch.tensor([ids]), torch.tensor([labels])))
    return out


def main() -> None:
    folder = Path(sys.argv[1])
    conversations = (
        [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()] if sys.argv[2:] else []
    )
    torch.manual_seed(7)
    text = Path(__file__).read_text()
    tokenizer = tokenizer_of([text, *(json.dumps(each, ensure_ascii=False) for each in conversations)])
    learns = bool(conversations)
    config = Qwen2Config(
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
    model = Qwen2ForCausalLM(config)
    if learns:
        teach(model, examples(tokenizer, conversations))
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def teach(model: Qwen2ForCausalLM, rows: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Overfit until every row is known by heart."""
    print("tokens:", [row[0].shape[1] for row in rows], flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS * len(rows))
    started = time.monotonic()
    for step in range(STEPS):
        worst = 0.0
        for ids, labels in rows:
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
        if step % 10 == 0:
            print(f"step {step}: {worst:.4f} after {time.monotonic() - started:.0f} s", flush=True)
        if worst < GOOD_ENOUGH:
            break
    print(f"learnt: {worst:.4f} after {step + 1} steps, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
