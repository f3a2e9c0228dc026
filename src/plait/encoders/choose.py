"""Build encoders and adapters from their names and options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sized
from typing import Any, Protocol, cast

from plait.core.errors import ConfigError
from plait.core.tables import Entry, check_options, load_entry, look_up
from plait.core.types import EncoderParts, Modality, TextInput
from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
from plait.encoders.adapters import Adapter

__all__ = ["adapter", "check_adapter", "check_encoder", "image_parts", "needs_text_input", "text_parts"]

Factory = Callable[..., EncoderParts]
# What the model sets itself.
_ADAPTERS_OWN = ("width", "pooled_width_in", "modality")


class _LearnedTextInput(TextInput, Protocol):
    @property
    def vocabulary(self) -> Sized: ...


def text_parts(
    name: str,
    options: Mapping[str, Any],
    *,
    max_tokens: int,
    trainable: int,
    text_input: TextInput | None = None,
) -> EncoderParts:
    """Build a text encoder by its name.

    Arguments:
        name:       a name of `TEXT_ENCODERS`, or "hub:NAME", "hub:FOLDER"
        options:    keyword arguments of its factory
        max_tokens: longer texts are truncated to this
        trainable:  how many of its last layers are trained; an encoder trained from scratch takes 0 and trains all
        text_input: for encoders that are trained from scratch (see `needs_text_input`): an input whose
                    `vocabulary` was learned from the training captions, such as data's `WordInput`
    Raises:
        UnknownNameError: no such name.
        ConfigError: an unknown option, a hub encoder without a name, or a missing `text_input`.
    """
    factory, given = _prepare("text encoder", TEXT_ENCODERS, name, options)
    takes = _keywords(factory)
    if "text_input" in takes:
        if text_input is None:
            raise ConfigError(f"text encoder {name!r}: expected a text_input (its vocabulary is learned), got none")
        given["text_input"] = text_input
        given.setdefault("vocabulary_size", len(cast(_LearnedTextInput, text_input).vocabulary))
    if "max_tokens" in takes:
        given["max_tokens"] = max_tokens
    return factory(**given, **_trainable("text", name, takes, trainable))


def image_parts(
    name: str, options: Mapping[str, Any], *, size_px: int = 0, fit: str = "", trainable: int = 0
) -> EncoderParts:
    """Build an image encoder by its name.

    Arguments:
        name:      a name of `IMAGE_ENCODERS`, or "hub:NAME", "hub:FOLDER"
        options:   keyword arguments of its factory
        size_px:   side of the square input; 0 = the encoder's own
        fit:       "squash", "crop" or "pad"; "" = the encoder's own
        trainable: how many of its last blocks are trained; an encoder trained from scratch takes 0 and trains all
    Raises:
        UnknownNameError: no such name.
        ConfigError: an unknown option or fit, or a hub encoder without a name.
    """
    factory, given = _prepare("image encoder", IMAGE_ENCODERS, name, options)
    if fit not in ("", "squash", "crop", "pad"):
        raise ConfigError(f"image.fit: expected 'squash', 'crop', 'pad' or '' (the encoder's own), got {fit!r}")
    if size_px:
        given["size_px"] = size_px
    if fit:
        given["fit"] = fit
    return factory(**given, **_trainable("image", name, _keywords(factory), trainable))


def adapter(
    name: str,
    options: Mapping[str, Any],
    *,
    width_in: int,
    width: int,
    pooled_width_in: int | None,
    modality: Modality,
) -> Adapter:
    """Build an adapter by its name: a module from `Tokens` of `width_in` to `Tokens` of `width`.

    Raises:
        UnknownNameError: no such name.
        ConfigError: an unknown option, or one that the model sets itself.
    """
    target = load_entry(look_up("adapter", ADAPTERS, name))
    _check("adapter", name, target, options, own=_ADAPTERS_OWN)
    built: Adapter = target(width_in, width=width, pooled_width_in=pooled_width_in, modality=modality, **dict(options))
    return built


def check_encoder(kind: str, name: str, options: Mapping[str, Any]) -> None:
    """Refuse an encoder's name and options, before anything is loaded.

    Arguments:
        kind: "text encoder" or "image encoder"
    Raises:
        UnknownNameError, ConfigError: as `text_parts` and `image_parts`.
    """
    _prepare(kind, {"text encoder": TEXT_ENCODERS, "image encoder": IMAGE_ENCODERS}[kind], name, options)


def check_adapter(name: str, options: Mapping[str, Any]) -> None:
    """Refuse an adapter's name and options. Raises as `adapter`."""
    _check("adapter", name, load_entry(look_up("adapter", ADAPTERS, name)), options, own=_ADAPTERS_OWN)


def needs_text_input(name: str) -> bool:
    """Tell whether a text encoder's vocabulary is learned, so that `text_parts` needs a `text_input` for it."""
    return "text_input" in _keywords(load_entry(look_up("text encoder", TEXT_ENCODERS, name.partition(":")[0])))


def _prepare(
    kind: str, table: Mapping[str, Entry], name: str, options: Mapping[str, Any]
) -> tuple[Factory, dict[str, Any]]:
    key, _, rest = name.partition(":")
    entry = look_up(kind, table, key)
    factory = load_entry(entry)
    _check(kind, name, factory, options, own=("name", "max_tokens", "trainable", "size_px", "fit", "text_input"))
    given = {**(entry.options or {}), **options}
    if "name" in _keywords(factory):
        if not rest:
            raise ConfigError(f"{kind} {name!r}: expected {key}:NAME or {key}:FOLDER, such as {key}:bert-base-uncased")
        given["name"] = rest
    elif rest:
        raise ConfigError(f"{kind} {name!r}: expected {key!r} without {':' + rest!r}; only 'hub' takes a name")
    return factory, given


def _check(
    kind: str, name: str, target: Callable[..., Any], options: Mapping[str, Any], *, own: tuple[str, ...]
) -> None:
    for option in options:
        if option in own:
            raise ConfigError(f"{kind} {name!r}: {option!r} is not an option; it has a recipe key of its own")
    check_options(kind, name, target, options)


def _keywords(factory: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(factory).parameters)


def _trainable(modality: str, name: str, takes: frozenset[str], trainable: int) -> dict[str, int]:
    if "trainable" in takes:
        return {"trainable": trainable}
    if trainable != 0:
        raise ConfigError(
            f"{modality}.trainable: expected 0, since {name!r} is trained from scratch as a whole, got {trainable}"
        )
    return {}
