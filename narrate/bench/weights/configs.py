"""The configuration files of a checkpoint, with the values of the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "CODEC_EOS",
    "GENERATION",
    "KINDS",
    "SIZES",
    "feature_extractor",
    "model_config",
    "speech_tokenizer_config",
]

CODEC_EOS = 2150
CODE_GROUPS = 16
SAMPLES_PER_FRAME = 1920

KINDS: Mapping[str, str] = {
    "base": "base",
    "customvoice": "custom_voice",
    "voicedesign": "voice_design",
}

LANGUAGES: Mapping[str, int] = {
    "chinese": 2055,
    "english": 2050,
    "german": 2053,
    "italian": 2070,
    "portuguese": 2071,
    "spanish": 2054,
    "japanese": 2058,
    "korean": 2064,
    "french": 2061,
    "russian": 2069,
}
DIALECTS: Mapping[str, int] = {"beijing_dialect": 2074, "sichuan_dialect": 2062}
SPEAKERS: Mapping[str, tuple[int, bool | str]] = {
    "ryan": (3061, False),
    "vivian": (3065, False),
    "dylan": (2878, "beijing_dialect"),
}
"""Speaker: its row in the codec embedding, and the dialect it speaks instead of Chinese."""

# hidden, intermediate, layers, heads, KV heads, head_dim, text_hidden, mrope sections
_Talker = tuple[int, int, int, int, int, int, int, tuple[int, int, int]]
SIZES: Mapping[str, _Talker] = {
    "tiny": (64, 128, 2, 4, 2, 16, 32, (4, 2, 2)),
    "0.6b": (1024, 3072, 28, 16, 8, 128, 2048, (24, 20, 20)),
    "1.7b": (2048, 6144, 28, 16, 8, 128, 2048, (24, 20, 20)),
}
_NAMES: Mapping[str, str] = {"tiny": "1b7", "0.6b": "0b6", "1.7b": "1b7"}

GENERATION: Mapping[str, Any] = {
    "do_sample": True,
    "repetition_penalty": 1.05,
    "temperature": 0.9,
    "top_p": 1.0,
    "top_k": 50,
    "subtalker_dosample": True,
    "subtalker_temperature": 0.9,
    "subtalker_top_p": 1.0,
    "subtalker_top_k": 50,
    "max_new_tokens": 8192,
}


def model_config(size: str, kind: str) -> dict[str, Any]:
    """Return `config.json`; a Base model has a speaker encoder, a CustomVoice one speakers."""
    hidden, *_ = SIZES[size]
    config: dict[str, Any] = {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "assistant_token_id": 77091,
        "im_end_token_id": 151645,
        "im_start_token_id": 151644,
        "tts_bos_token_id": 151672,
        "tts_eos_token_id": 151673,
        "tts_pad_token_id": 151671,
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": _NAMES[size],
        "tts_model_type": KINDS[kind],
        "talker_config": _talker(size, named_speakers=kind == "customvoice"),
        "transformers_version": "4.57.3",
    }
    if kind == "base":
        encoder: dict[str, Any] = {"enc_dim": hidden, "sample_rate": 24000}
        if size == "tiny":
            encoder |= {"enc_channels": [32, 32, 32, 32, 96], "enc_attention_channels": 16}
            encoder |= {"enc_se_channels": 16, "enc_res2net_scale": 4}
        config["speaker_encoder_config"] = encoder
    return config


def _talker(size: str, *, named_speakers: bool) -> dict[str, Any]:
    hidden, inner, layers, heads, kv_heads, head_dim, text_hidden, sections = SIZES[size]
    speakers = SPEAKERS if named_speakers else {}
    return {
        "attention_bias": False,
        "attention_dropout": 0,
        "code_predictor_config": _predictor(size),
        "codec_bos_id": 2149,
        "codec_eos_token_id": CODEC_EOS,
        "codec_language_id": {**LANGUAGES, **(DIALECTS if named_speakers else {})},
        "codec_nothink_id": 2155,
        "codec_pad_id": 2148,
        "codec_think_bos_id": 2156,
        "codec_think_eos_id": 2157,
        "codec_think_id": 2154,
        "head_dim": head_dim,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": inner,
        "max_position_embeddings": 32768,
        "model_type": "qwen3_tts_talker",
        "num_attention_heads": heads,
        "num_code_groups": CODE_GROUPS,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "position_id_per_seconds": 13,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {
            "interleaved": True,
            "mrope_section": list(sections),
            "rope_type": "default",
            "type": "default",
        },
        "rope_theta": 1000000,
        "sliding_window": None,
        "spk_id": {name: row for name, (row, _) in speakers.items()},
        "spk_is_dialect": {name: dialect for name, (_, dialect) in speakers.items()},
        "text_hidden_size": text_hidden,
        "text_vocab_size": 151936,
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": 3072,
    }


def _predictor(size: str) -> dict[str, Any]:
    tiny = size == "tiny"
    return {
        "attention_bias": False,
        "attention_dropout": 0,
        "head_dim": 16 if tiny else 128,
        "hidden_act": "silu",
        "hidden_size": 48 if tiny else 1024,
        "initializer_range": 0.02,
        "intermediate_size": 96 if tiny else 3072,
        "layer_types": ["full_attention"] * (2 if tiny else 5),
        "max_position_embeddings": 65536,
        "max_window_layers": 28,
        "model_type": "qwen3_tts_talker_code_predictor",
        "num_attention_heads": 4 if tiny else 16,
        "num_code_groups": CODE_GROUPS,
        "num_hidden_layers": 2 if tiny else 5,
        "num_key_value_heads": 2 if tiny else 8,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": 2048,
    }


def speech_tokenizer_config(size: str) -> dict[str, Any]:
    """Return `speech_tokenizer/config.json`: Mimi as the encoder, the 12.5 Hz decoder."""
    tiny = size == "tiny"
    return {
        "architectures": ["Qwen3TTSTokenizerV2Model"],
        "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": CODE_GROUPS,
        "input_sample_rate": 24000,
        "output_sample_rate": 24000,
        "decode_upsample_rate": SAMPLES_PER_FRAME,
        "encode_downsample_rate": SAMPLES_PER_FRAME,
        "decoder_config": {
            "attention_bias": False,
            "attention_dropout": 0.0,
            "latent_dim": 32 if tiny else 1024,
            "codebook_dim": 16 if tiny else 512,
            "codebook_size": 2048,
            "decoder_dim": 48 if tiny else 1536,
            "hidden_act": "silu",
            "hidden_size": 16 if tiny else 512,
            "intermediate_size": 32 if tiny else 1024,
            "layer_scale_initial_scale": 0.01,
            "max_position_embeddings": 8000,
            "head_dim": 8 if tiny else 64,
            "num_attention_heads": 2 if tiny else 16,
            "num_hidden_layers": 2 if tiny else 8,
            "num_key_value_heads": 2 if tiny else 16,
            "num_quantizers": CODE_GROUPS,
            "num_semantic_quantizers": 1,
            "rms_norm_eps": 1e-05,
            "rope_theta": 10000,
            "semantic_codebook_size": 4096,
            "sliding_window": 72,
            "upsample_rates": [8, 5, 4, 3],
            "upsampling_ratios": [2, 2],
            "vector_quantization_hidden_dimension": 16 if tiny else 512,
        },
        "encoder_config": _mimi(tiny),
        "transformers_version": "4.57.3",
    }


def _mimi(tiny: bool) -> dict[str, Any]:
    return {
        "_frame_rate": 12.5,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "audio_channels": 1,
        "codebook_dim": 8 if tiny else 256,
        "codebook_size": 2048,
        "compress": 2,
        "dilation_growth_rate": 2,
        "head_dim": 8 if tiny else 64,
        "hidden_act": "gelu",
        "hidden_size": 16 if tiny else 512,
        "initializer_range": 0.02,
        "intermediate_size": 32 if tiny else 2048,
        "kernel_size": 7,
        "last_kernel_size": 3,
        "layer_scale_initial_scale": 0.01,
        "max_position_embeddings": 8000,
        "model_type": "mimi",
        "norm_eps": 1e-05,
        "normalize": False,
        "num_attention_heads": 2 if tiny else 8,
        "num_filters": 4 if tiny else 64,
        "num_hidden_layers": 2 if tiny else 8,
        "num_key_value_heads": 2 if tiny else 8,
        "num_quantizers": 32,
        "num_residual_layers": 1,
        "num_semantic_quantizers": 1,
        "pad_mode": "constant",
        "residual_kernel_size": 3,
        "rope_theta": 10000.0,
        "sampling_rate": 24000,
        "sliding_window": 250,
        "trim_right_ratio": 1.0,
        "upsample_groups": 16 if tiny else 512,
        "upsampling_ratios": [8, 6, 5, 4],
        "use_cache": False,
        "use_causal_conv": True,
        "use_conv_shortcut": False,
        "use_streaming": False,
        "vector_quantization_hidden_dimension": 8 if tiny else 256,
    }


def feature_extractor() -> dict[str, Any]:
    """Return `speech_tokenizer/preprocessor_config.json`."""
    return {
        "chunk_length_s": None,
        "feature_extractor_type": "EncodecFeatureExtractor",
        "feature_size": 1,
        "overlap": None,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": True,
        "sampling_rate": 24000,
    }
