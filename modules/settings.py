"""How the program is set up: flags come before environment variables, these before the settings file.

Every path comes from here. The command line's help and docs/settings.md are made from the fields below.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modules.schema.errors import KararliError

REPOSITORY = Path(__file__).resolve().parent.parent
ENVIRONMENT_PREFIX = "KARARLI_"
FILE_NAME = "settings.toml"


class Settings(BaseModel):
    """Every setting. A field `data_dir` is the flag --data-dir, KARARLI_DATA_DIR, and data_dir in settings.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int = Field(default=7860, ge=1, le=65535, description="Port of the page and of the API.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    listen: bool = Field(default=False, description="Listen on all addresses, so that other machines reach the page.")
    share: bool = Field(default=False, description="Also open a public link through Gradio's tunnel.")
    data_dir: Path = Field(
        default=REPOSITORY,
        description="Folder with models/, extensions/, outputs/ and settings.toml; by default the program's own.",
    )
    input_root: Path | None = Field(
        default=None,
        description="Folder whose folders of pictures can be worked through on the page; without it none can.",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:N or mps: what to compute on.",
    )
    precision: Literal["auto", "full", "bf16", "fp16"] = Field(
        default="auto", description="Arithmetic of the UNet and the text encoder; full is fp32 throughout."
    )
    attention: Literal["auto", "xformers", "sdpa"] = Field(
        default="auto", description="Attention to use; auto takes xformers where it works and torch's own elsewhere."
    )
    vram: Literal["auto", "high", "medium", "low"] = Field(
        default="auto",
        description="How much of a graphics card to use: high keeps all parts on it, medium moves idle parts to the"
        " CPU, low also decodes in tiles; auto looks at the free memory.",
    )
    backend: Literal["process", "inline", "ray"] = Field(
        default="process", description="Where the engine runs: in its own process, in this one, or on a Ray cluster."
    )
    theme: Literal["default", "soft", "monochrome", "glass", "ocean", "citrus", "origin"] = Field(
        default="default", description="Look of the page."
    )
    lang: Literal["en", "tr"] = Field(default="en", description="Language of the page.")
    largest_video: int = Field(default=4096, ge=1, description="MB that a video has at most which is to be captioned.")
    open: bool = Field(default=False, description="Open the page in the browser once it answers.")

    @property
    def address(self) -> str:
        """The address to bind."""
        return "0.0.0.0" if self.listen else self.host

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.data_dir / "models"

    @property
    def checkpoints(self) -> Path:
        """The folder that checkpoints are dropped into."""
        return self.models / "Stable-diffusion"

    @property
    def embeddings(self) -> Path:
        """The folder of learned words (textual inversions)."""
        return self.models / "embeddings"

    @property
    def upscalers(self) -> Path:
        """The folder that upscalers are dropped into."""
        return self.models / "ESRGAN"

    @property
    def video_models(self) -> Path:
        """The folder of models that say what a video shows."""
        return self.models / "TimeSformer"

    @property
    def picture_models(self) -> tuple[Path, Path]:
        """The folders of models that say what a picture shows."""
        return self.models / "CLIP", self.models / "BLIP"

    @property
    def words(self) -> Path:
        """The folder of lists of words that CLIP models choose from."""
        return self.models / "words"

    @property
    def wildcards(self) -> Path:
        """The folder of lists that prompts draw words from."""
        return self.models / "wildcards"

    @property
    def extensions(self) -> Path:
        """The folder that extensions are dropped into."""
        return self.data_dir / "extensions"

    @property
    def outputs(self) -> Path:
        """The folder of all that was made."""
        return self.data_dir / "outputs"

    @property
    def database(self) -> Path:
        """The record of jobs and pictures."""
        return self.outputs / "kararli.db"

    @property
    def inputs(self) -> Path:
        """The pictures that requests start from, each under its digest."""
        return self.outputs / ".inputs"

    @property
    def frames(self) -> Path:
        """The frames of animations that are not finished, a folder for each job."""
        return self.outputs / ".frames"

    @property
    def private_files(self) -> tuple[Path, ...]:
        """What lies in outputs/ beside pictures, and is nobody's to download."""
        beside = (self.database.with_name(self.database.name + ending) for ending in ("-wal", "-shm", "-journal"))
        return (self.database, *beside, self.inputs, self.frames)

    @property
    def cache(self) -> Path:
        """What can be made again: digests of model files, the page's copies of pictures."""
        return self.data_dir / ".cache"


def load_settings(flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from flags (None means not given), `KARARLI_...` variables and the data folder's settings.toml.

    Raises KararliError with a sentence that names the wrong setting and where it was given.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    variables = {
        name: environment[ENVIRONMENT_PREFIX + name.upper()]
        for name in Settings.model_fields
        if environment.get(ENVIRONMENT_PREFIX + name.upper())
    }
    data_dir = Path(given.get("data_dir") or variables.get("data_dir") or REPOSITORY).expanduser().resolve()
    file = data_dir / FILE_NAME
    merged = {**_read_file(file), **variables, **given, "data_dir": data_dir}
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise KararliError(f"{_where(name, given, variables, file)}: {_reason(name, first['msg'])}") from None


def _read_file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KararliError(f"{file} is not valid TOML ({error}). Mend it, or remove it.") from None
    if "data_dir" in values:
        raise KararliError(f"data_dir in {file} has no effect, since that is where this file lies. Use --data-dir.")
    return values


def _where(name: str, flags: Mapping[str, Any], variables: Mapping[str, str], file: Path) -> str:
    if name in flags:
        return f"--{name.replace('_', '-')} {flags[name]}"
    if name in variables:
        return f"{ENVIRONMENT_PREFIX}{name.upper()}={variables[name]}"
    return f"{name} in {file}"


def _reason(name: str, message: str) -> str:
    if name not in Settings.model_fields:
        return f"there is no such setting. Settings are: {', '.join(Settings.model_fields)}."
    return f"{message}. ({Settings.model_fields[name].description})"
