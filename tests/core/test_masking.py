"""Masks: enough to recognise one's own data, too little to learn another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.masking import mask_account_no, mask_address, mask_certificate, mask_name, mask_phone


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张", "*"),
        ("张明", "张*"),
        ("张晓明", "张*明"),
        ("欧阳晓明", "欧**明"),
        ("汉阳星火小学", "汉****学"),
        ("", "*"),
    ],
)
def test_a_name_keeps_its_ends(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("phone", "masked"),
    [("19900002842", "199****2842"), ("027123456", "*******56"), ("95598", "***98"), ("1", "1"), ("", "")],
)
def test_a_phone_number_keeps_its_ends(phone: str, masked: str) -> None:
    assert mask_phone(phone) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [("4201001234", "420***1234"), ("4201001231234", "420******1234"), ("1234567", "*******"), ("", "")],
)
def test_an_account_number_keeps_three_digits_in_front_and_four_behind(number: str, masked: str) -> None:
    assert mask_account_no(number) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        (
            "武汉市江汉区解放大道128号菱湖家园3栋2单元1502室",
            "武汉市江汉区解放大道**号菱湖家园**栋**单元**室",
        ),
        ("武汉市硚口区古田二路8号", "武汉市硚口区古田二路**号"),
        ("湖北省楚溪县白泉镇望江村3组25号", "湖北省楚溪县白泉镇望江村**组**号"),
        ("青山区建设一路十八号楼", "青山区建设一路**号楼"),
        ("洪山区南湖大道", "洪山区南湖大道"),
        ("", ""),
    ],
)
def test_an_address_keeps_its_road_but_not_its_door(address: str, masked: str) -> None:
    assert mask_address(address) == masked


def test_a_certificate_number_keeps_one_character_at_each_end() -> None:
    assert mask_certificate("42010619870203125X") == "4****************X"


@given(st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True))
def test_a_mask_keeps_the_length_of_a_certificate_number(number: str) -> None:
    assert len(mask_certificate(number)) == 18


@given(st.from_regex(r"1[0-9]{10}", fullmatch=True))
def test_four_digits_of_a_mobile_number_stay_hidden(phone: str) -> None:
    assert mask_phone(phone)[3:7] == "****"


def test_a_door_written_with_dashes_or_other_counters_is_hidden_too() -> None:
    assert mask_address("汉阳区琴台路8号B座3-2-1502") == "汉阳区琴台路**号**座**"
    assert mask_address("洪山区珞喻路1037号西十二舍2幢") == "洪山区珞喻路**号西十二舍**幢"
