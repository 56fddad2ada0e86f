"""What is judged of an ask at once: what its server's owner set, then defaults, limits, words.

Quota, queue and pictures need a wait; they are judged by `studio.submit`.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from PIL import Image

from ..pipelines.errors import InvalidRequestError
from ..pipelines.limits import SAMPLERS, check
from .ask import Ask, Kind
from .censor import Censor
from .errors import RefusedError
from .permits import allowed_models, require_model, require_welcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..pipelines.checkpoint import Checkpoint
    from ..pipelines.request import Lora
    from .guild_rules import RuleBook, Rules
    from .member import Member
    from .settings import Settings

MAX_COUNT = 4
_ANY_PICTURE = Image.new("L", (1, 1))
MAX_SEED = 2**63 - MAX_COUNT


class Judge:
    """Knows the settings, the models, and every server's rules."""

    def __init__(
        self, settings: Settings, checkpoints: Mapping[str, Checkpoint], rule_book: RuleBook
    ) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._rule_book = rule_book
        self.censor = Censor(settings.safety.blocked_words, rule_book)

    async def judge(self, ask: Ask, member: Member) -> Ask:
        """The ask with the model's defaults filled in, all but the seed.

        Raises `RefusedError`.
        """
        rules = await self._rule_book.of(member.guild_id)
        require_welcome(member, rules, ban=self._rule_book.ban_of(rules, member.user_id))
        ask = self._completed(ask, member, rules)
        texts = (ask.prompt, self.woven(ask).prompt)
        await self.censor.require_clean(texts, member.guild_id, rules)
        return ask

    async def models_for(self, member: Member) -> list[str]:
        """Those that they may use where they are. Raises `RefusedError`."""
        rules = await self._rule_book.of(member.guild_id)
        return allowed_models(member, rules, self._checkpoints)

    def _completed(self, ask: Ask, member: Member, rules: Rules) -> Ask:
        limits = self._settings.limits
        if not ask.prompt.strip() and not (ask.init_image and ask.kind is not Kind.IMAGINE):
            raise RefusedError("Say what to paint: the prompt is empty.")
        for text in (ask.prompt, ask.negative_prompt):
            if len(text) > limits.prompt_length:
                raise RefusedError(
                    f"That is {len(text):,} characters; a prompt may have"
                    f" {limits.prompt_length:,}. Shorten it."
                )
        if not 1 <= ask.count <= MAX_COUNT:
            raise RefusedError(f"Ask for 1 to {MAX_COUNT} pictures at once.")
        if ask.seed is not None and not 0 <= ask.seed < MAX_SEED:
            raise RefusedError("A seed is a whole number from 0 up, of at most 18 digits.")
        if ask.style:
            self._known("style", ask.style, self._settings.styles)
        loras: list[Lora] = []
        for lora in ask.loras:
            self._known("LoRA", lora.name, self._settings.loras)
            usual = self._settings.loras[lora.name].weight
            loras.append(replace(lora, weight=usual) if lora.weight is None else lora)
        if not self._checkpoints:
            raise RefusedError("No model can be loaded at the moment; the owner can see why.")
        allowed = allowed_models(member, rules, self._checkpoints)
        # Where a server keeps models to some channels, each channel has a default of its own.
        model = ask.model or next(iter(allowed), next(iter(self._checkpoints)))
        self._known("model", model, self._checkpoints)
        require_model(member, rules, model, self._checkpoints)
        checkpoint = self._checkpoints[model]
        if ask.sampler is not None:
            self._known("sampler", ask.sampler, SAMPLERS)
        ask = replace(
            ask,
            model=model,
            loras=tuple(loras),
            steps=checkpoint.steps if ask.steps is None else ask.steps,
            guidance_scale=(
                checkpoint.guidance_scale if ask.guidance_scale is None else ask.guidance_scale
            ),
            sampler=ask.sampler or checkpoint.sampler,
            width=ask.width or checkpoint.size_px,
            height=ask.height or checkpoint.size_px,
        )
        assert ask.steps is not None
        assert ask.width is not None
        assert ask.height is not None
        if not 1 <= ask.steps <= limits.max_steps:
            raise RefusedError(f"Steps go from 1 to {limits.max_steps}; you asked for {ask.steps}.")
        most = limits.max_area * checkpoint.size_px**2
        if ask.width * ask.height > most:
            side = int(most**0.5) // checkpoint.size_multiple_px * checkpoint.size_multiple_px
            raise RefusedError(
                f"{ask.width} x {ask.height} is larger than this server paints with {model};"
                f" {side} x {side} is the largest square."
            )
        try:
            # Their pixels are not needed to judge the rest, only that they will be there.
            picture = _ANY_PICTURE if ask.init_image else None
            mask = _ANY_PICTURE if ask.mask_image else None
            for request in replace(ask, seed=ask.seed or 0, count=1).requests(
                tenant="", init_image=picture, mask_image=mask
            ):
                check(request, checkpoint)
        except InvalidRequestError as error:
            raise RefusedError(str(error)) from error
        return ask

    def woven(self, ask: Ask) -> Ask:
        """The ask with its style's words around the prompt: what is painted, not what is shown."""
        style = self._settings.styles.get(ask.style)
        if style is None:
            return ask
        negative = ", ".join(filter(None, (ask.negative_prompt, style.negative_prompt)))
        return replace(
            ask, prompt=style.prompt.replace("{prompt}", ask.prompt), negative_prompt=negative
        )

    def _known(self, what: str, name: str, known: Collection[str]) -> None:
        if name in known:
            return
        close = get_close_matches(name, known, n=1, cutoff=0.4)
        if close:
            hint = f"did you mean {close[0]!r}?"
        elif known:
            hint = "there are " + ", ".join(sorted(known)[:10]) + "."
        else:
            hint = "none is configured here."
        raise RefusedError(f"There is no {what} {name[:50]!r}; {hint}")
