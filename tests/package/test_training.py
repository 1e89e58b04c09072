"""The training loop."""

import pytest
import torch
from torch import nn

from lecture_utils.training import fit


def _data(n=64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 2, generator=generator)
    return x, (x[:, 0] > 0).long()


def _fit(**changes):
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    options = {"steps": 25, "optimizer": torch.optim.SGD(model.parameters(), lr=0.5)}
    return fit(model, _data(), _data(32), **(options | changes))


def test_history_is_measured_from_before_the_first_to_after_the_last_step():
    history = _fit()
    assert history.step == [0, 10, 20, 25]
    for values in (history.train_loss, history.val_loss, history.val_error):
        assert len(values) == 4
    assert history.train_loss[-1] < history.train_loss[0] / 2
    assert history.train_error[-1] < 0.1


def test_measuring_in_small_batches_changes_nothing_but_the_memory():
    sizes = []

    class Watched(nn.Linear):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    torch.manual_seed(0)
    model = Watched(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    options = {"steps": 25, "optimizer": optimizer, "batch_size": 8}
    small = fit(model, _data(), _data(32), measure_batch=10, **options)
    assert max(sizes) == 10
    whole = _fit(batch_size=8)
    assert small.val_error == whole.val_error
    assert small.val_loss == pytest.approx(whole.val_loss)


def test_the_same_seed_gives_the_same_history():
    assert _fit() == _fit()
    assert _fit() != _fit(seed=1)


def test_the_scheduler_is_stepped():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    fit(model, _data(), _data(), steps=3, optimizer=optimizer, scheduler=scheduler)
    assert scheduler.get_last_lr() == [0.125]


def test_the_usual_recipe_is_adam_in_one_cycle():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    adam = torch.optim.Adam(model.parameters(), 0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.1, 25)
    by_hand = fit(model, _data(), _data(32), steps=25, optimizer=adam, scheduler=cycle)
    assert _fit(optimizer=None, lr=0.1) == by_hand
    assert _fit(optimizer=None, lr=0.1, weight_decay=0.5) != by_hand
    assert len(_fit(optimizer=None, lr=0.1, steps=1).step) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"batch_size": 0}, "больше нуля"),
        ({"measure_batch": 0}, "measure_batch=0"),
        ({"lr": 0.1}, "одно из двух"),
        ({"optimizer": None}, "одно из двух"),
    ],
)
def test_bad_numbers_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        _fit(**changes)


def test_bad_data_are_refused():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    x, y = _data()
    with pytest.raises(ValueError, match="train: примеров 0"):
        fit(model, (x[:0], y[:0]), (x, y), steps=1, optimizer=optimizer)
    with pytest.raises(ValueError, match="val: примеров 64, меток 63"):
        fit(model, (x, y), (x, y[1:]), steps=1, optimizer=optimizer)


def test_an_exploding_loss_stops_the_training():
    model = nn.Linear(2, 2)
    nn.init.constant_(model.weight, float("inf"))
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    with pytest.raises(FloatingPointError, match="на шаге 0"):
        fit(model, _data(), _data(), steps=1, optimizer=optimizer)


def test_ctrl_c_keeps_what_was_measured(capsys):
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    calls = []

    def loss(logits, labels):
        calls.append(1)
        if len(calls) == 30:  # within a step of training
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(logits, labels)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    history = fit(model, _data(), _data(32), steps=90, optimizer=optimizer, loss=loss)
    assert history.step == [0, 10, 20]
    assert {len(values) for values in vars(history).values()} == {3}
    assert not model.training
    assert "прервано на шаге 23 из 90" in capsys.readouterr().out
