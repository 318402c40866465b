"""Writes the ten small golden checkpoints of this directory (see README.md).

    pip install torch==2.7.1 transformers==4.57.6 safetensors==0.8.0
    python make.py [name ...]

Each folder gets a random checkpoint in the Hugging Face format (`config.json` and the weights, as
`save_pretrained` writes them unless the variant says otherwise) and `golden.safetensors`: what
`transformers` computes on that checkpoint *as read back from the folder*, in f32, on CPU, with
eager attention, no padding, no cache and positions 0..T-1.

Nothing is downloaded. The script asserts that the captured tensors add up, and that ignoring any
of the options in `Variant.matters` moves the logits by much more than rounding does; it fails
otherwise.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import copy
import dataclasses
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

HERE = pathlib.Path(__file__).resolve().parent
BATCH, LENGTH, HIDDEN, LAYERS, INNER = 2, 20, 32, 3, 48
VOCAB = 160
# For the variants whose folder would pass MAX_BYTES with VOCAB.
SMALL_VOCAB = 96
MATRIX_STD, EMBEDDING_STD, BIAS_STD, NORM_STD = 0.2, 0.35, 0.1, 0.2
NEGATIVES = 25
MAX_BYTES = 250_000
# The smallest change of a logit for which an option counts as tested.
MATTERS = 2e-3


@dataclasses.dataclass
class Variant:
    name: str
    seed: int
    model_class: type
    config_class: type
    config: dict
    # Changes of `config` that must show in the logits. A dict value is merged into the old dict.
    matters: list
    dtype: torch.dtype = torch.float32
    shard_size: str = "5GB"
    # Weights of a Gemma norm are offsets from one.
    gemma: bool = False


# Common to the models with Llama's names for the options. The eps is far from every library's
# default, and large enough to matter.
LLAMA_LIKE = dict(
    vocab_size=VOCAB,
    hidden_size=HIDDEN,
    intermediate_size=INNER,
    num_hidden_layers=LAYERS,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rms_norm_eps=1e-3,
    bos_token_id=2,
    eos_token_id=1,
)
GEMMA_TEXT = LLAMA_LIKE | dict(rms_norm_eps=1e-2, query_pre_attn_scalar=12, sliding_window=6)
LLAMA3_SCALING = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)

VARIANTS = [
    Variant(
        "qwen3",
        2001,
        Qwen3ForCausalLM,
        Qwen3Config,
        LLAMA_LIKE
        | dict(vocab_size=SMALL_VOCAB, head_dim=16, rope_theta=1e6, tie_word_embeddings=True),
        matters=[dict(rope_theta=1e4), dict(rms_norm_eps=1e-6)],
    ),
    Variant(
        "llama_linear_bias",
        2002,
        LlamaForCausalLM,
        LlamaConfig,
        LLAMA_LIKE
        | dict(
            vocab_size=SMALL_VOCAB,
            num_key_value_heads=4,
            attention_bias=True,
            mlp_bias=True,
            rope_theta=1e4,
            # "type" is the old name of "rope_type"; save_pretrained writes both.
            rope_scaling=dict(type="linear", factor=4.0),
        ),
        matters=[dict(rope_scaling=None), dict(rope_theta=5e5), dict(rms_norm_eps=1e-6)],
    ),
    Variant(
        "gpt_neox_sequential",
        2003,
        GPTNeoXForCausalLM,
        GPTNeoXConfig,
        dict(
            vocab_size=VOCAB,
            hidden_size=HIDDEN,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            max_position_embeddings=64,
            layer_norm_eps=1e-3,
            bos_token_id=0,
            eos_token_id=0,
            use_parallel_residual=False,
            rotary_pct=0.5,
            rotary_emb_base=5000,
            hidden_act="gelu_new",
        ),
        matters=[
            dict(use_parallel_residual=True),
            dict(rotary_pct=0.25),
            dict(rotary_pct=1.0),
            dict(rotary_emb_base=10000),
            dict(hidden_act="gelu"),
            dict(layer_norm_eps=1e-5),
        ],
    ),
    Variant(
        "gpt2_inner",
        2004,
        GPT2LMHeadModel,
        GPT2Config,
        dict(
            vocab_size=VOCAB,
            n_embd=HIDDEN,
            n_layer=LAYERS,
            n_head=4,
            n_inner=40,
            n_positions=32,
            activation_function="gelu",
            layer_norm_epsilon=1e-3,
            bos_token_id=0,
            eos_token_id=0,
        ),
        matters=[dict(activation_function="gelu_new"), dict(layer_norm_epsilon=1e-5)],
    ),
    Variant(
        "mistral_full",
        2005,
        MistralForCausalLM,
        MistralConfig,
        LLAMA_LIKE | dict(rope_theta=1e6, sliding_window=None),
        matters=[dict(sliding_window=6), dict(rope_theta=1e4), dict(rms_norm_eps=1e-6)],
    ),
    Variant(
        "qwen2_window",
        2006,
        Qwen2ForCausalLM,
        Qwen2Config,
        LLAMA_LIKE
        | dict(
            rope_theta=1e6,
            use_sliding_window=True,
            sliding_window=6,
            max_window_layers=1,
        ),
        matters=[
            dict(use_sliding_window=False),
            dict(sliding_window=7),
            dict(sliding_window=5),
            dict(max_window_layers=0),
            dict(max_window_layers=2),
            dict(rope_theta=1e4),
            dict(rms_norm_eps=1e-6),
        ],
    ),
    Variant(
        "gemma3_nested",
        2007,
        Gemma3ForConditionalGeneration,
        Gemma3Config,
        dict(
            text_config=GEMMA_TEXT
            | dict(
                vocab_size=SMALL_VOCAB,
                head_dim=8,
                layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                rope_theta=1e6,
                rope_local_base_freq=2000.0,
                rope_scaling=dict(rope_type="linear", factor=8.0),
            ),
            vision_config=dict(
                hidden_size=4,
                intermediate_size=4,
                num_hidden_layers=1,
                num_attention_heads=2,
                image_size=4,
                patch_size=2,
                vision_use_head=False,
            ),
            mm_tokens_per_image=1,
        ),
        matters=[
            dict(text_config=change)
            for change in [
                dict(rope_scaling=None),
                dict(rope_theta=1e4),
                dict(rope_local_base_freq=1e4),
                dict(sliding_window=7),
                dict(sliding_window=5),
                dict(layer_types=["sliding_attention"] * 3),
                dict(layer_types=["full_attention"] * 3),
                dict(query_pre_attn_scalar=8),
                dict(rms_norm_eps=1e-6),
            ]
        ],
        gemma=True,
    ),
    Variant(
        "llama_f16_sharded",
        2008,
        LlamaForCausalLM,
        LlamaConfig,
        LLAMA_LIKE | dict(rope_theta=5e5, rope_scaling=LLAMA3_SCALING),
        matters=[dict(rope_scaling=None), dict(rope_theta=1e4), dict(rms_norm_eps=1e-6)],
        dtype=torch.float16,
        shard_size="40KB",
    ),
    Variant(
        "llama_bf16",
        2009,
        LlamaForCausalLM,
        LlamaConfig,
        # Wavelengths 6.3, 15, 34, 80 against the bounds 8 and 32: one kept, one blended, two
        # divided by the factor.
        LLAMA_LIKE
        | dict(
            rope_theta=30.0,
            rope_scaling=LLAMA3_SCALING | dict(original_max_position_embeddings=32),
        ),
        matters=[
            dict(rope_scaling=None),
            dict(rope_scaling=LLAMA3_SCALING),
            dict(rope_theta=1e4),
            dict(rms_norm_eps=1e-6),
        ],
        dtype=torch.bfloat16,
    ),
    Variant(
        "gemma2_bf16",
        2010,
        Gemma2ForCausalLM,
        Gemma2Config,
        GEMMA_TEXT
        | dict(
            head_dim=16,
            query_pre_attn_scalar=24,
            attn_logit_softcapping=5.0,
            final_logit_softcapping=8.0,
        ),
        matters=[
            dict(attn_logit_softcapping=None),
            dict(final_logit_softcapping=None),
            dict(sliding_window=7),
            dict(sliding_window=5),
            dict(layer_types=["full_attention"] * 3),
            dict(query_pre_attn_scalar=16),
            dict(rope_theta=1e5),
            dict(rms_norm_eps=1e-6),
        ],
        dtype=torch.bfloat16,
        gemma=True,
    ),
]


def merged(config, change):
    config = copy.deepcopy(config)
    for key, value in change.items():
        old = config.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        config[key] = merged(old, value) if both else copy.deepcopy(value)
    return config


def new_model(variant, change):
    """A model of the variant in f32, weights not set."""
    config = variant.config_class(**merged(variant.config, change))
    config._attn_implementation = "eager"
    return variant.model_class(config).eval()


def is_norm(name):
    return any(part in name for part in ("norm", "ln_1", "ln_2", "ln_f"))


def randomise(model, variant):
    """Sets every parameter, in the order of their names, and rounds it to the stored type."""
    generator = torch.Generator().manual_seed(variant.seed)
    embeddings = ("embed", "lm_head", "wte", "wpe")
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            value = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                value *= BIAS_STD
            elif is_norm(name):
                one_more = variant.gemma and "vision" not in name
                value = NORM_STD * value + (0.0 if one_more else 1.0)
            elif any(part in name for part in embeddings):
                value *= EMBEDDING_STD
            else:
                value *= MATRIX_STD
            parameter.copy_(value.to(variant.dtype))


def save(model, variant, folder):
    """The config and the weights, in the stored type."""
    stored = copy.deepcopy(model).to(variant.dtype)
    if variant.name == "mistral_full":
        # The files of Mistral 7B have no such field; the class would write null.
        del stored.config.head_dim
    stored.save_pretrained(folder, max_shard_size=variant.shard_size)
    (folder / "generation_config.json").unlink()
    if variant.name == "gpt2_inner":
        # As the file of openai-community/gpt2: no prefix, and the causal masks as f32 buffers.
        path = folder / "model.safetensors"
        tensors = {k.removeprefix("transformer."): v for k, v in load_file(path).items()}
        positions = variant.config["n_positions"]
        mask = torch.tril(torch.ones(positions, positions)).view(1, 1, positions, positions)
        for layer in range(LAYERS):
            tensors[f"h.{layer}.attn.bias"] = mask.clone()
        save_file(tensors, path, metadata={"format": "pt"})


def parts(model):
    """The decoder layers, the final norm and the head."""
    if isinstance(model, GPT2LMHeadModel):
        return model.transformer.h, model.transformer.ln_f, model.lm_head
    if isinstance(model, GPTNeoXForCausalLM):
        return model.gpt_neox.layers, model.gpt_neox.final_layer_norm, model.embed_out
    text = getattr(model.model, "language_model", model.model)
    return text.layers, text.norm, model.lm_head


def first(value):
    return value[0] if isinstance(value, tuple) else value


def capture(model, ids, gemma):
    """One forward pass; returns the tensors of README.md, still in the graph."""
    layers, norm, _ = parts(model)
    seen, handles = {}, []

    def keep_output(module, name):
        handles.append(
            module.register_forward_hook(lambda _m, _a, out: seen.update({name: first(out)}))
        )

    def keep_input(module, name):
        def hook(_module, args, kwargs):
            seen[name] = args[0] if args else kwargs["hidden_states"]

        handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    keep_input(layers[0], "resid_pre.0")
    for i, layer in enumerate(layers):
        attention = next(
            getattr(layer, name)
            for name in ("self_attn", "attention", "attn")
            if hasattr(layer, name)
        )
        if gemma:
            keep_output(attention, f"attn_raw.{i}")
            keep_output(layer.post_attention_layernorm, f"attn_out.{i}")
            keep_input(layer.pre_feedforward_layernorm, f"resid_mid.{i}")
            keep_output(layer.mlp, f"mlp_raw.{i}")
            keep_output(layer.post_feedforward_layernorm, f"mlp_out.{i}")
        else:
            keep_output(attention, f"attn_out.{i}")
            second = layer.ln_2 if hasattr(layer, "ln_2") else layer.post_attention_layernorm
            keep_input(second, f"resid_mid.{i}")
            keep_output(layer.mlp, f"mlp_out.{i}")
        keep_output(layer, f"resid_post.{i}")
    keep_output(norm, "final_norm_out")
    seen["logits"] = model(input_ids=ids, use_cache=False).logits
    for handle in handles:
        handle.remove()
    return seen


def same(name, got, want, tolerance=1e-5):
    worst = (got - want).abs().max().item()
    assert worst <= tolerance, f"{name}: differs by {worst:e}"


def check_sums(model, seen, variant):
    """That the captured tensors are the parts of the stream which their names say."""
    _, norm, head = parts(model)
    for i in range(LAYERS):
        before = seen["resid_pre.0"] if i == 0 else seen[f"resid_post.{i - 1}"]
        middle = before + seen[f"attn_out.{i}"]
        same(f"resid_mid.{i}", middle, seen[f"resid_mid.{i}"])
        same(f"resid_post.{i}", middle + seen[f"mlp_out.{i}"], seen[f"resid_post.{i}"])
    last = norm(seen[f"resid_post.{LAYERS - 1}"])
    same("final_norm_out", last, seen["final_norm_out"])
    logits = head(last)
    cap = variant.config.get("final_logit_softcapping")
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    same("logits", logits, seen["logits"])


def logits_of(model, ids):
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits


def check_options(model, variant, ids, logits):
    """That each option matters, and so do the biases and the norm weights. The smallest move."""
    state = model.state_dict()
    moves = {}

    def moved(label, model):
        moves[label] = (logits_of(model, ids) - logits).abs().max().item()
        assert moves[label] > MATTERS, f"{variant.name}: {label} moves by {moves[label]:e} only"

    same("state", logits_of(load(new_model(variant, {}), state), ids), logits, 0.0)
    for change in variant.matters:
        moved(str(change), load(new_model(variant, change), state))
    for suffix in sorted({neutral_group(name) for name in state} - {None}):
        changed = {
            name: neutral(name, value, variant) if neutral_group(name) == suffix else value
            for name, value in state.items()
        }
        moved(f"without {suffix}", load(new_model(variant, {}), changed))
    return moves


def load(model, state):
    model.load_state_dict(state)
    return model


def neutral_group(name):
    """`q_proj.bias` of `model.layers.0.self_attn.q_proj.bias`, for a bias or a norm of the text."""
    if "vision" in name or "multi_modal" in name:
        return None
    if name.endswith("bias") or is_norm(name):
        return ".".join(name.split(".")[-2:])
    return None


def neutral(name, value, variant):
    zero = name.endswith("bias") or variant.gemma
    return torch.zeros_like(value) if zero else torch.ones_like(value)


def make(variant):
    folder = HERE / variant.name
    shutil.rmtree(folder, ignore_errors=True)
    model = new_model(variant, {})
    randomise(model, variant)
    save(model, variant, folder)

    read = variant.model_class.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    for name, value in model.state_dict().items():
        assert torch.equal(value, read.state_dict()[name]), name

    vocab = read.get_input_embeddings().weight.shape[0]
    generator = torch.Generator().manual_seed(variant.seed + 100)
    ids = torch.randint(vocab, (BATCH, LENGTH), generator=generator)
    chosen = torch.randperm(vocab, generator=generator)[: BATCH + NEGATIVES]
    positive, negative = chosen[:BATCH].clone(), chosen[BATCH:].sort().values

    seen = capture(read, ids, variant.gemma)
    check_sums(read, seen, variant)
    # Reading from disk and the hooks changed nothing.
    same("logits", logits_of(model, ids), seen["logits"], 0.0)
    moves = check_options(model, variant, ids, seen["logits"].detach())

    last = seen["logits"][:, -1]
    value = last[torch.arange(BATCH), positive] - last[:, negative].mean(-1)
    streams = [seen[f"resid_post.{i}"] for i in (0, 1)]
    for i, gradient in enumerate(torch.autograd.grad(value.sum(), streams)):
        seen[f"grad.resid_post.{i}"] = gradient
    seen["metric.value"] = value
    golden = {name: tensor.detach().contiguous().clone() for name, tensor in seen.items()}
    assert all(tensor.dtype == torch.float32 for tensor in golden.values())
    assert all(tensor.isfinite().all() for tensor in golden.values())
    golden |= {"input_ids": ids, "metric.pos_token": positive, "metric.neg_tokens": negative}
    save_file(golden, folder / "golden.safetensors")
    # The safetensors library writes files which only their owner can read.
    for path in folder.iterdir():
        path.chmod(0o644)

    # Weights in f64; transformers still computes RMS norms, rotary tables and softmax in f32.
    wide = (logits_of(copy.deepcopy(read).double(), ids) - seen["logits"]).abs().max().item()
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size < MAX_BYTES, f"{variant.name}: {size} bytes"
    least = min(moves, key=moves.get)
    print(
        f"{variant.name}: {size} bytes, vocab {vocab}, logits std {seen['logits'].std():.2f}, "
        f"max {seen['logits'].abs().max():.2f}; f32 vs f64 {wide:.1e}; "
        f"least move {moves[least]:.1e} ({least})"
    )


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    wanted = sys.argv[1:]
    unknown = set(wanted) - {variant.name for variant in VARIANTS}
    if unknown:
        sys.exit(f"no such variant: {', '.join(sorted(unknown))}")
    for variant in VARIANTS:
        if not wanted or variant.name in wanted:
            make(variant)


if __name__ == "__main__":
    main()
