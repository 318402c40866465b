"""The embedded model in TransformerLens, and an autoencoder in SAELens."""

import json
from pathlib import Path

import torch
from sae_lens import SAE
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gemma_weights
from transformers import AutoModelForCausalLM, AutoTokenizer


def load_model(folder: Path) -> HookedTransformer:
    """TransformerLens takes names from its own table only, so the configuration is written out here.

    Attention types and the window of 1 are those of `config.json`.
    """
    config = json.loads((folder / "config.json").read_text())
    local = [kind == "sliding_attention" for kind in config["layer_types"]]
    cfg = HookedTransformerConfig(
        model_name="vernier-embedded",
        original_architecture="Gemma2ForCausalLM",
        d_model=config["hidden_size"],
        d_head=config["head_dim"],
        n_heads=config["num_attention_heads"],
        n_key_value_heads=config["num_key_value_heads"],
        n_layers=config["num_hidden_layers"],
        d_mlp=config["intermediate_size"],
        n_ctx=config["max_position_embeddings"],
        d_vocab=config["vocab_size"],
        eps=config["rms_norm_eps"],
        act_fn="gelu_pytorch_tanh",
        normalization_type="RMS",
        positional_embedding_type="rotary",
        rotary_base=config["rope_theta"],
        rotary_dim=config["head_dim"],
        use_attn_scale=True,
        attn_scale=config["query_pre_attn_scalar"] ** 0.5,
        use_local_attn=True,
        attn_types=["local" if here else "global" for here in local],
        window_size=config["sliding_window"],
        attn_scores_soft_cap=config["attn_logit_softcapping"],
        output_logits_soft_cap=config["final_logit_softcapping"],
        gated_mlp=True,
        final_rms=True,
        use_normalization_before_and_after=True,
        tokenizer_prepends_bos=True,
        dtype=torch.float32,
        device="cpu",
    )
    weights = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = HookedTransformer(cfg, tokenizer=AutoTokenizer.from_pretrained(folder))
    model.load_and_process_state_dict(
        convert_gemma_weights(weights, cfg),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    return model.eval()


def load_sae(folder: Path) -> SAE:
    """As SAEBench loads a released one: decoder norms folded."""
    sae = SAE.load_from_disk(folder, device="cpu", dtype="float32")
    sae.fold_W_dec_norm()
    return sae
