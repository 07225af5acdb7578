"""Megatron-LM: parts by tensor and pipeline rank, which are not put together here."""

from gradcascade.sources.checkpoints.base import Checkpoint, refused

CHECKPOINT = Checkpoint(
    "megatron",
    90,
    ("mp_rank_*/model_optim_rng.pt", "*/mp_rank_*/model_optim_rng.pt"),
    refused(
        "is a part of a Megatron-LM checkpoint by tensor and pipeline rank; convert the checkpoint to the Hugging "
        "Face format with Megatron's tools/checkpoint/convert.py"
    ),
    readable=False,
)
