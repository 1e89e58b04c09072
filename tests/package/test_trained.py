"""Networks trained on ImageNet: the package's own, and files whole, broken, missing."""

import hashlib
import http.client
from pathlib import Path

import httpx
import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models import Weights, WeightsEnum

from lecture_utils import trained as module
from lecture_utils.data import BOXES, photo
from lecture_utils.trained import class_id, class_names, trained, untrained


@pytest.fixture(scope="module")
def real():
    return trained(dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "answer", "probability"),
    # Measured with the package that the weights come from, and its own architecture.
    [
        ("cat", "египетская кошка", 0.387),
        ("coffee", "эспрессо", 0.944),
        ("china", "дворец", 0.325),
        ("astronaut", "бобслей", 0.280),
    ],
)
def test_the_network_names_photos(real, name, answer, probability):
    answers = real.answers(photo(name, 224))
    assert len(answers) == 5
    assert next(iter(answers.items())) == (answer, pytest.approx(probability, abs=2e-3))


def test_float32_gives_the_same_answers(real):
    single = trained(dtype=torch.float32)
    pictures = torch.stack([photo(name, 224) for name in ("rocket", "motorcycle")])
    ours, theirs = single.probabilities(pictures), real.probabilities(pictures)
    assert ours.dtype == torch.float32 and not single.net.training
    assert torch.allclose(ours.double(), theirs, atol=1e-4)


def test_untrained_is_the_same_network_without_its_knowledge(real):
    one, same, other = (untrained(seed, dtype=torch.float64) for seed in (0, 0, 1))
    shapes = [(name, value.shape) for name, value in real.net.state_dict().items()]
    assert [(name, value.shape) for name, value in one.state_dict().items()] == shapes
    assert not one.training and one.classifier.weight.dtype == torch.float64
    for net, equal in ((same, True), (other, False), (real.net, False)):
        assert torch.equal(net.conv_stem.weight, one.conv_stem.weight) == equal


def test_inputs(real):
    picture = photo("cat", 100)
    x = real.inputs(picture)
    assert x.shape == (1, 3, 224, 224) and x.dtype == torch.float64
    assert real.inputs(picture.expand(2, 3, 100, 100)).shape == (2, 3, 224, 224)
    black = real.inputs(torch.zeros(3, 224, 224, dtype=torch.uint8))
    assert torch.equal(black, -torch.ones_like(black)), "from -1 to 1, as in training"
    for wrong in (picture / 255, picture[0], picture[:1], picture[None, None]):
        with pytest.raises(ValueError, match="нужны картинки uint8 формы"):
            real.inputs(wrong)


def test_classes():
    russian, english = class_names(), class_names("en")
    assert len(russian) == len(english) == len(set(russian)) == 1000
    for number, name in enumerate(russian):
        assert name == name.strip() and 1 < len(name) <= 32, number
    assert russian[class_id("tripod")] == "штатив"
    assert all(class_id(thing) >= 0 for _, thing in BOXES)
    with pytest.raises(ValueError, match="класса 'astronaut' в ImageNet нет"):
        class_id("astronaut")


def test_a_damaged_file_of_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(module, "OWN_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"повреждён.*git checkout"):
        trained()


# --- weights of torchvision, from files as torch.hub keeps them -----------------------


def tiny() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))


class Catalogue:
    """One model, `tiny`, whose weights lie at a file:// address."""

    def __init__(self, folder: Path, content: object) -> None:
        file = folder / "origin.pth"
        torch.save(content, file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.origin = file.rename(folder / f"tiny-{digest[:8]}.pth")
        self.cached = folder / "hub/checkpoints" / self.origin.name

        class Tiny(WeightsEnum):
            V1 = Weights(
                url=self.origin.as_uri(),
                transforms=lambda: type("T", (), {"crop_size": [32]}),
                meta={"_file_size": 0.01},
            )

        self.weights = Tiny


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    def make(content: object = None) -> Catalogue:
        made = Catalogue(tmp_path, tiny().state_dict() if content is None else content)
        monkeypatch.setattr(models, "get_model_weights", lambda name: made.weights)
        return made

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(models, "get_model", lambda name: tiny())
    return make


def test_nothing_is_fetched_unasked(catalogue):
    made = catalogue()
    with pytest.raises(FileNotFoundError, match=r"download=True.*положите в") as caught:
        trained("tiny")
    assert str(made.cached) in str(caught.value) and not made.cached.exists()


def test_fetched_once_then_from_the_cache(catalogue):
    made = catalogue()
    first = trained("tiny", download=True)
    made.origin.unlink()
    again = trained("tiny")
    picture = photo("cat", 48)
    assert torch.equal(first.probabilities(picture), again.probabilities(picture))
    assert again.inputs(picture).shape == (1, 3, 32, 32) and not again.net.training


def test_no_network(catalogue):
    made = catalogue()
    made.origin.unlink()
    with pytest.raises(FileNotFoundError, match=r"не скачались.*положите в"):
        trained("tiny", download=True)
    assert not made.cached.exists()


# What a proxy, or a package missing for it, makes of a download.
NO_NETWORK = [
    ImportError("Using SOCKS proxy, but the 'socksio' package is not installed."),
    http.client.IncompleteRead(b""),
    httpx.ProxyError("407 Proxy Authentication Required"),
    ValueError("Unable to determine SOCKS version from socks://127.0.0.1:1080"),
]


@pytest.mark.parametrize("error", NO_NETWORK, ids=repr)
def test_proxy(catalogue, monkeypatch, error):
    def fail(*_, **__):
        raise error

    catalogue()
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(FileNotFoundError, match=r"не скачались.*положите в") as caught:
        trained("tiny", download=True)
    assert type(error).__name__ in str(caught.value)
    model = "transformers.AutoModelForImageClassification.from_pretrained"
    monkeypatch.setattr(model, fail)
    with pytest.raises(FileNotFoundError, match=r"ни с Hub.*HF_HUB_OFFLINE=0"):
        trained("some/model", download=True)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "half"])
def test_broken_file(catalogue, content):
    made = catalogue()
    whole = made.origin.read_bytes()
    made.cached.parent.mkdir(parents=True)
    made.cached.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(ValueError, match=r"скачан не до конца.*Удалите"):
        trained("tiny")


@pytest.mark.parametrize("content", [[1, 2, 3], nn.Linear(2, 2).state_dict()])
def test_weights_of_another_network(catalogue, content):
    catalogue(content)
    with pytest.raises(ValueError, match="не подходят к tiny"):
        trained("tiny", download=True)


def test_code_in_a_file_is_not_run(catalogue, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "witness"), "w"))

    catalogue(Evil())
    with pytest.raises(ValueError, match="не файл весов"):
        trained("tiny", download=True)
    assert not (tmp_path / "witness").exists()


def test_no_such_model():
    with pytest.raises(ValueError, match=r"'vgg61' в torchvision нет; есть.*vgg16"):
        trained("vgg61")


# --- models of the Hugging Face Hub ---------------------------------------------------


def test_a_folder_of_transformers(tmp_path):
    from transformers import ConvNextImageProcessor, ResNetConfig
    from transformers import ResNetForImageClassification as Model

    config = ResNetConfig(
        embedding_size=4,
        hidden_sizes=[4, 8],
        depths=[1, 1],
        id2label={0: "кошка", 1: "собака"},
        label2id={"кошка": 0, "собака": 1},
    )
    net = Model(config).eval()
    net.save_pretrained(tmp_path)
    ConvNextImageProcessor(size={"shortest_edge": 64}).save_pretrained(tmp_path)
    loaded = trained(str(tmp_path))
    picture = photo("flower", 64)
    with torch.no_grad():
        expected = net(loaded.inputs(picture)).logits.softmax(1)
    assert torch.equal(loaded.probabilities(picture), expected)
    assert loaded.answers(picture, k=2).keys() == {"кошка", "собака"}


def test_a_model_that_is_not_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"microsoft/resnet-50.*HF_HUB_OFFLINE"):
        trained("microsoft/resnet-50")
