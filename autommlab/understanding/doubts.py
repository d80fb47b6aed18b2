"""What a person should look at in a parse, and may answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Doubt(BaseModel):
    """One field of a parse that is uncertain, or words of the text that it does not use.

    Attributes:
        field: as a correction names it, see `corrections.FIELDS`.
        about: words of the text, "" where it is about none.
        says: one sentence.
        choices: other values that the field may have, the likeliest first.
        answer: of the person: a correction such as "object: horse", "kept" where the parse is right as it is; "" where
            nobody has answered.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    about: str = ""
    says: str
    choices: tuple[str, ...] = ()
    answer: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered."""
        return not self.answer
