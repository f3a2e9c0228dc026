"""Encoders: text and images become tokens; adapters project both to one width. The name tables of this room."""

from plait.core.tables import Entry

__all__ = ["ADAPTERS", "IMAGE_ENCODERS", "TEXT_ENCODERS"]

TEXT_ENCODERS: dict[str, Entry] = {
    "minilm": Entry(
        "plait.encoders.bert.minilm:minilm",
        "packaged",
        "Wang et al. 2020; Reimers & Gurevych 2019",
        "all-MiniLM-L6-v2, 6 layers, 384 wide, from a package: needs no network",
    ),
    "words": Entry(
        "plait.encoders.words.gru:words",
        "from scratch",
        "Faghri et al. 2018",
        "word embeddings and a bidirectional GRU",
    ),
    "words_transformer": Entry(
        "plait.encoders.words.transformer:words_transformer",
        "from scratch",
        "Vaswani et al. 2017",
        "word embeddings and a small transformer",
    ),
    "word_table": Entry(
        "plait.encoders.words.table:word_table",
        "from scratch",
        "Bengio et al. 2003",
        "one vector per word and nothing of the words beside it: what decoders of captions read",
        gives="words",
    ),
    "hub": Entry(
        "plait.encoders.hub.text:hub_text",
        "hub",
        "-",
        "hub:NAME or hub:FOLDER, any text encoder of transformers: BERT, CLIP's text tower, ...",
    ),
}

IMAGE_ENCODERS: dict[str, Entry] = {
    "efficientnet_lite2": Entry(
        "plait.encoders.efficientnet.lite2:efficientnet_lite2",
        "packaged",
        "Tan & Le 2019",
        "EfficientNet-Lite2 with ImageNet weights, grid at stride 8, 16 or 32, from a package: needs no network",
    ),
    "vit_small": Entry(
        "plait.encoders.vit:vit_small",
        "from scratch",
        "Dosovitskiy et al. 2021",
        "a small vision transformer",
    ),
    "cnn_small": Entry(
        "plait.encoders.cnn:cnn_small",
        "from scratch",
        "He et al. 2016",
        "a small residual network with positions on its grid",
    ),
    "hub": Entry(
        "plait.encoders.hub.image:hub_image",
        "hub",
        "-",
        "hub:NAME or hub:FOLDER, any image encoder of transformers: ResNet, ViT, CLIP's image tower, ...",
    ),
}

ADAPTERS: dict[str, Entry] = {
    "linear": Entry(
        "plait.encoders.adapters:LinearAdapter",
        "projection",
        "-",
        "layer norm and one matrix",
    ),
    "bottleneck": Entry(
        "plait.encoders.adapters:BottleneckAdapter",
        "projection",
        "Houlsby et al. 2019",
        "a narrow residual layer, then one matrix",
    ),
    "transformer": Entry(
        "plait.encoders.adapters:TransformerAdapter",
        "attention",
        "Messina et al. 2021",
        "one matrix, then self-attention within the side",
    ),
    "none": Entry(
        "plait.encoders.adapters:NoAdapter",
        "none",
        "-",
        "tokens unchanged, for encoders that share a space; fusion.width must equal theirs",
    ),
}
