"""What questions to a language model have cost."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LlmUsage(BaseModel):
    """Of some calls, answers included that nobody used.

    Attributes:
        prompt_tokens, tokens: read and generated.
        seconds: of all calls, summed, whoever waited for them.
    """

    model_config = ConfigDict(frozen=True)

    calls: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def plus(self, other: LlmUsage) -> LlmUsage:
        """Both together."""
        return LlmUsage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            tokens=self.tokens + other.tokens,
            seconds=round(self.seconds + other.seconds, 3),
        )
