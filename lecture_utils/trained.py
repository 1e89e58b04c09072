"""Networks trained on ImageNet: one that the package carries, others on request.

``lecture_utils/weights/README.md`` says where the weights of the first come from.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

OWN = "tf_efficientnet_lite0"
OWN_SHA256 = "384371dbd49f5bd24d4e89f607c22e2b1babbdb5c58d86a1cf3279ac1d490191"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Trained(NamedTuple):
    """A classifier with the preprocessing that it was trained with."""

    net: nn.Module  # in evaluation mode: (B, 3, side, side) -> logits (B, classes)
    classes: Sequence[str]  # in Russian for the 1000 classes of ImageNet
    side: int
    mean: Sequence[float]
    std: Sequence[float]

    def inputs(self, pictures: Tensor) -> Tensor:
        """Square uint8 pictures, (3, S, S) or (B, 3, S, S), as the network takes them.

        They come out as (B, 3, side, side) in the precision and on the device of the
        network's weights.

        Raises:
            ValueError: another shape or dtype.
        """
        shape = tuple(pictures.shape)
        if pictures.dtype != torch.uint8 or shape[-3:-2] != (3,) or len(shape) > 4:
            raise ValueError(
                f"нужны картинки uint8 формы (3, S, S) или (B, 3, S, S), а получено "
                f"{pictures.dtype} {shape}; снимок такой формы даёт photo(…)"
            )
        like = next(self.net.parameters())
        x = pictures.reshape(-1, *shape[-3:]).to(like) / 255
        if shape[-2:] != (self.side, self.side):
            x = transforms.resize(x, [self.side, self.side], antialias=True)
        return transforms.normalize(x, list(self.mean), list(self.std))

    @torch.no_grad()
    def probabilities(self, pictures: Tensor) -> Tensor:
        """(B, classes) for uint8 pictures, see `inputs`; on the CPU."""
        logits = self.net(self.inputs(pictures))
        return getattr(logits, "logits", logits).softmax(1).cpu()

    def answers(self, picture: Tensor, k: int = 5) -> dict[str, float]:
        """The ``k`` likeliest classes of one picture with their probabilities."""
        best = self.probabilities(picture)[0].topk(k)
        return {
            self.classes[number]: probability
            for number, probability in zip(
                best.indices.tolist(), best.values.tolist(), strict=True
            )
        }


def trained(
    name: str = OWN,
    *,
    download: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Trained:
    """Load a classifier trained on ImageNet.

    Args:
        name: by default the network inside the package, EfficientNet-Lite0, whose
            authors measured 75.1 % top-1 (M. Tan, Q. Le, *EfficientNet*, 2019, and
            github.com/tensorflow/tpu, efficientnet/lite). Or a model
            of torchvision (``"vgg16"``, ``"resnet50"``, ``"vit_b_16"``, ``"swin_t"``,
            …), or one of the Hugging Face Hub (``"microsoft/resnet-50"``), or a folder
            with such a model.
        download: fetch weights that are not in the cache of torch or of the Hub.
        dtype: of the weights; torch's default dtype unless given.

    Raises:
        FileNotFoundError: not in the cache, and not to be downloaded or no network;
            says where the file belongs.
        ValueError: no such model, or a file that is broken or another one.
    """
    if name == OWN:
        model = _own()
    elif "/" in name or Path(name).is_dir():
        model = _from_transformers(name, download)
    else:
        model = _from_torchvision(name, download)
    model.net.eval().to(device, dtype or torch.get_default_dtype())
    return model


def untrained(
    seed: int = 0,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> nn.Module:
    """The network inside the package before its training: random weights, no dropout.

    Args:
        seed: of the weights; torch's generator goes on from there.
        dtype: of the weights; torch's default dtype unless given.
    """
    import timm

    torch.manual_seed(seed)
    net = timm.create_model(OWN).eval()
    return net.to(device, dtype or torch.get_default_dtype())


@cache
def class_names(language: str = "ru") -> tuple[str, ...]:
    """The 1000 classes of ImageNet, ``"ru"`` (ours) or ``"en"`` (torchvision's)."""
    if language == "en":
        from torchvision.models import ResNet18_Weights

        return tuple(ResNet18_Weights.DEFAULT.meta["categories"])
    file = files("lecture_utils") / "weights" / "imagenet_ru.txt"
    return tuple(file.read_text("utf-8").splitlines())


def class_id(english: str) -> int:
    """Number of a class of ImageNet by torchvision's name for it.

    Raises ValueError when there is none.
    """
    try:
        return class_names("en").index(english)
    except ValueError as error:
        raise ValueError(f"класса {english!r} в ImageNet нет") from error


def _own() -> Trained:
    import timm
    from safetensors.torch import load

    file = files("lecture_utils") / "weights" / f"{OWN}.safetensors"
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != OWN_SHA256:
        raise ValueError(
            f"файл {file} повреждён: его sha256 другой. Возьмите его из репозитория "
            "снова: git checkout lecture_utils/weights"
        )
    net = timm.create_model(OWN)
    # Only the counters of batches seen, which nothing reads, are not in the file.
    missing, unexpected = net.load_state_dict(load(content), strict=False)
    strange = [key for key in missing if not key.endswith("num_batches_tracked")]
    if strange or unexpected:
        raise ValueError(f"в {OWN} этой версии timm другие слои: {strange, unexpected}")
    return Trained(net, class_names(), 224, (0.5,) * 3, (0.5,) * 3)


def _from_torchvision(name: str, download: bool) -> Trained:
    from torchvision import models

    try:
        weights = next(iter(models.get_model_weights(name)))
    except ValueError as error:
        raise ValueError(
            f"модели {name!r} в torchvision нет; есть, например, vgg16, resnet50, "
            f"vit_b_16, swin_t. Имя модели с Hub содержит «/»"
        ) from error
    file = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    if not file.exists():
        _fetch(name, weights, file, download)
    state = _checked(file, weights.url)
    with torch.device("meta"):  # without a second copy of the weights
        net = models.get_model(name)
    try:
        net.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"веса из {file} не подходят к {name}: {error}") from error
    side = weights.transforms().crop_size[0]
    return Trained(net, class_names(), side, IMAGENET_MEAN, IMAGENET_STD)


def _fetch(name: str, weights, file: Path, download: bool) -> None:
    size = f"{weights.meta['_file_size']:.0f} МБ"
    by_hand = f"Или скачайте {weights.url} на другом компьютере и положите в {file}."
    if not download:
        raise FileNotFoundError(
            f"весов {name} на этом компьютере нет. trained({name!r}, download=True) "
            f"скачает их ({size}). {by_hand}"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(weights.url, str(file), progress=False)
    except Exception as error:  # of any kind: no network, a proxy, a full disk, …
        raise FileNotFoundError(
            f"веса {name} ({size}) не скачались ({type(error).__name__}: {error}). "
            f"{by_hand}"
        ) from error


def _checked(file: Path, url: str) -> dict[str, Tensor]:
    """The weights in a file whose name ends with the beginning of its SHA-256."""
    remedy = f"Удалите {file} и скачайте его снова: {url}"
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    begins = file.stem.rpartition("-")[2]
    if not digest.startswith(begins):
        raise ValueError(
            f"файл повреждён или скачан не до конца: его sha256 начинается с "
            f"{digest[:8]}, а в имени — {begins}. {remedy}"
        )
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind: the file may hold anything
        raise ValueError(
            f"это не файл весов PyTorch ({type(error).__name__}). {remedy}"
        ) from error


def _from_transformers(name: str, download: bool) -> Trained:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    local = {"local_files_only": not download}
    try:
        net = AutoModelForImageClassification.from_pretrained(name, **local)
        processor = AutoImageProcessor.from_pretrained(name, **local)
    except Exception as error:  # of any kind: a proxy, a package missing for it, …
        raise FileNotFoundError(
            f"модель {name} не удалось взять ни из кэша, ни из такой папки, ни с Hub. "
            f"Чтобы скачать, запустите Python с HF_HUB_OFFLINE=0 и вызовите "
            f"trained({name!r}, download=True). "
            f"Библиотека говорит: {type(error).__name__}: {error}"
        ) from error
    labels = net.config.id2label
    named = tuple(labels[number] for number in range(len(labels)))
    classes = class_names() if len(named) == len(class_names()) else named
    size = processor.crop_size if getattr(processor, "crop_size", None) else None
    size = size or processor.size
    side = size.get("height") or size["shortest_edge"]
    return Trained(net, classes, side, processor.image_mean, processor.image_std)
