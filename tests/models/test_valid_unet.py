"""The published form step by step, and that the form for inference shows no seams."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models.valid_unet import ValidUNet


@pytest.fixture(scope="module")
def pair() -> tuple[ValidUNet, ValidUNet]:
    """Both forms with the same weights, He-normal so that differences show, in float64."""
    torch.manual_seed(0)
    strict, padded = ValidUNet(strict=True), ValidUNet()
    for part in strict.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)
    padded.load_state_dict(strict.state_dict())
    return strict.double().eval(), padded.double().eval()


def image(height: int, width: int) -> torch.Tensor:
    return 255 * torch.rand(1, 3, height, width, dtype=torch.float64)


def test_it_has_the_published_number_of_parameters():
    assert sum(values.numel() for values in ValidUNet().parameters()) == 127_867
    assert sum(values.numel() for values in ValidUNet(strict=True).parameters()) == 127_867


def test_every_step_of_the_strict_form_has_the_published_shape(pair):
    strict, _ = pair
    seen: dict[str, tuple[int, ...]] = {}
    before: dict[str, tuple[int, ...]] = {}
    names = {part: name for name, part in strict.named_modules()}

    def watch(part: torch.nn.Module, given: tuple[torch.Tensor], out: torch.Tensor) -> None:
        before[names[part]], seen[names[part]] = tuple(given[0].shape[1:]), tuple(out.shape[1:])

    for part in names:
        part.register_forward_hook(watch)
    with torch.inference_mode():
        assert strict(image(268, 268)).shape == (1, 1, 148, 148)
    down = [seen[f"down.{i}"] for i in range(4)]
    assert down == [(20, 264, 264), (25, 128, 128), (30, 60, 60), (45, 26, 26)]
    assert [before[f"down.{i}"][1] for i in range(4)] == [268, 132, 64, 30]
    assert before["bottom"] == (45, 13, 13)
    assert seen["bottom"] == (40, 13, 13)
    assert [before[f"up.{i}"] for i in range(4)] == [
        (85, 26, 26),
        (50, 44, 44),
        (45, 80, 80),
        (40, 152, 152),
    ]
    up = [seen[f"up.{i}"] for i in range(4)]
    assert up == [(20, 22, 22), (20, 40, 40), (20, 76, 76), (10, 148, 148)]
    assert seen["head"] == (1, 148, 148)


@pytest.mark.parametrize("side", [268, 284, 524])
def test_the_strict_form_answers_its_middle(pair, side: int):
    with torch.inference_mode():
        assert pair[0](image(side, 268)).shape == (1, 1, side - 120, 148)


@pytest.mark.parametrize("side", [256, 269, 108])
def test_other_sides_are_refused_by_the_strict_form(pair, side: int):
    with pytest.raises(BadValueError, match=f"{side} x 268"):
        pair[0](image(side, 268))


def test_both_forms_agree_but_for_what_the_padding_at_the_bottom_reaches(pair):
    """The strict form's levels begin 14 px into a tile's: 2 px at each, doubled on the way."""
    strict, padded = pair
    whole = image(480, 480)
    with torch.inference_mode():
        answers = padded(whole).sigmoid()
        start, side = 98, 268  # 98 = 6 * 16 + 2
        part = strict(whole[..., start : start + side, start : start + side]).sigmoid()
    first = start + ValidUNet.MARGIN_PX
    expected = answers[..., first : first + 148, first : first + 148]
    difference = (part - expected).abs()[0, 0]
    assert difference[16:-16, 16:-16].max() < 1e-12
    assert difference.max() > 1e-3, "the padding at the bottom shows in the outer 16 px"


@pytest.mark.parametrize("side", [64, 96, 160])
def test_tiles_with_a_halo_are_equal_to_the_whole(pair, side: int):
    _, padded = pair
    whole, halo = image(320, 352), 80
    assert padded.reach_px == 78
    with torch.inference_mode():
        expected = padded(whole).sigmoid()
        worst = 0.0
        for y in range(halo, 320 - halo - side + 1, side):
            for x in range(halo, 352 - halo - side + 1, side):
                tile = whole[..., y - halo : y + side + halo, x - halo : x + side + halo]
                own = padded(tile).sigmoid()[..., halo:-halo, halo:-halo]
                here = expected[..., y : y + side, x : x + side]
                worst = max(worst, float((own - here).abs().max()))
    assert worst < 1e-12


def test_more_classes_have_a_logit_each():
    assert ValidUNet(classes=4)(torch.zeros(1, 3, 32, 32)).shape == (1, 4, 32, 32)
    with pytest.raises(BadValueError, match="classes=1"):
        ValidUNet(classes=1)
