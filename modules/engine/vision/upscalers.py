"""Our own upscalers: stretched latents, and plain filters over pixels. Imports no torch: the page asks for names."""

from PIL import Image

from modules.schema.upscaling import LatentStretch, Upscaler


def lanczos(image: Image.Image, factor: float) -> Image.Image:
    """Lanczos' windowed sinc over three lobes."""
    return image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.LANCZOS)


def nearest(image: Image.Image, factor: float) -> Image.Image:
    """Each pixel becomes a square."""
    return image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.NEAREST)


def enlarged(image: Image.Image, size: tuple[int, int], upscaler: Upscaler) -> Image.Image:
    """The picture stretched to a size: by the upscaler as far as it has to grow, the rest by Lanczos' filter.

    A method may have a factor of its own; then it is applied up to three times.
    """
    factor = max(size[0] / image.width, size[1] / image.height)
    if upscaler.enlarge is not None and factor > 1:
        wanted = int(image.width * factor // 8 * 8), int(image.height * factor // 8 * 8)
        for _ in range(3):
            before = image.size
            image = upscaler.enlarge(image, factor)
            if image.size == before or (image.width >= wanted[0] and image.height >= wanted[1]):
                break
        if image.size != wanted:
            image = image.resize(wanted, Image.Resampling.LANCZOS)
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


FILTERS = {None: Image.Resampling.LANCZOS, lanczos: Image.Resampling.LANCZOS, nearest: Image.Resampling.NEAREST}
"""Methods that come to any size by themselves."""

UPSCALERS = (
    Upscaler("Latent", latent=LatentStretch("bilinear")),
    Upscaler("Latent (antialiased)", latent=LatentStretch("bilinear", antialias=True)),
    Upscaler("Latent (bicubic)", latent=LatentStretch("bicubic")),
    Upscaler("Latent (bicubic antialiased)", latent=LatentStretch("bicubic", antialias=True)),
    Upscaler("Latent (nearest)", latent=LatentStretch("nearest")),
    Upscaler("Latent (nearest-exact)", latent=LatentStretch("nearest-exact")),
    Upscaler("None"),
    Upscaler("Lanczos", lanczos),
    Upscaler("Nearest", nearest),
)
"""Under the names that the ecosystem writes into pictures."""
