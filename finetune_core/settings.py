"""Where things are and how much is allowed: read from the environment and from `.env`, never from code.

Every variable is named `AYAR_*` and is optional; the field's description is its documentation, and the table in
the README is made from it. The vendors' own key variables are read by `secret()` alone.
"""

import os
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from finetune_core.errors import SettingsError

ENV_FILE = Path(".env")


class Settings(BaseSettings):
    """The settings in force, read anew by `current()`, so that a change of `.env` is seen by the next job."""

    model_config = SettingsConfigDict(env_prefix="AYAR_", extra="ignore", frozen=True)

    home: Path = Field(Path(".ayar"), description="Folder that holds database, artefacts and caches.")
    password: str = Field("", description="If set, the dashboard asks for it before it shows anything.")
    import_roots: Annotated[list[Path], NoDecode] = Field(
        default_factory=list,
        description=(
            "Folders, separated by the system's path separator, from which the Corpus page may import. Unset: your home "
            "folder, and only while the dashboard listens on loopback without a password."
        ),
    )
    plugins: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description=(
            "Modules, separated by commas, that register adapters of your own in a dictionary `ADAPTERS`: name to a callable "
            "that takes the number of dimensions and returns a `torch.nn.Module`."
        ),
    )
    max_file_mb: int = Field(200, ge=1, description="Largest file taken into a corpus, in megabytes.")
    max_pages: int = Field(2000, ge=1, description="Most pages read from one document.")
    max_unpacked_mb: int = Field(500, ge=1, description="Most megabytes a DOCX, PPTX or XLSX may unpack to.")
    heavy_jobs: int = Field(1, ge=1, le=16, description="Trainings, generations and comparisons run at once.")
    threads: int = Field(0, ge=0, description="CPU threads for a training; 0 takes all cores.")

    @field_validator("import_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [Path(part) for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("plugins", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def current() -> Settings:
    """Read the settings now. Raises SettingsError that names the variable, its value and what it must be."""
    try:
        return Settings(_env_file=ENV_FILE)
    except ValidationError as error:
        first = error.errors()[0]
        variable = "AYAR_" + str(first["loc"][0]).upper()
        raise SettingsError(
            f"{variable} is {first['input']!r}: {first['msg']}.",
            hint=f"Change or remove {variable} in the environment or in {ENV_FILE}.",
        ) from error


def secret(variable: str) -> str:
    """The value of a key variable from the environment or `.env`, or "" if it is not set. Never store or log it."""
    return os.environ.get(variable) or _env_file().get(variable) or ""


def _env_file() -> dict[str, str | None]:
    return dict(dotenv_values(ENV_FILE)) if ENV_FILE.is_file() else {}
