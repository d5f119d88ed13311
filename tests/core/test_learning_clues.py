"""What points at somebody less plainly than a number or a full name does, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.learning.said_names import names_in
from core.learning.scrub import Scrubber
from core.learning.settings import learning_settings

DATA = Path(__file__).parents[2] / "data"
TOLD = [
    ("加我v信：lxm19880606", "加我v信：某号"),
    ("微信号 zhang_san88 加我一下，发电费单", "微信号 某号 加我一下，发电费单"),
    ("抖音号 dy_abc123 看视频里漏电的杆子", "抖音号 某号 看视频里漏电的杆子"),
    ("邮箱 li.ming＠163.com 发票发这里", "邮箱 某号 发票发这里"),
    ("我邮箱是 liming at qq dot com", "我邮箱是 某号"),
    ("银行卡尾号6222怎么解绑", "银行卡尾号某号怎么解绑"),
    ("我身份证尾号是123X", "我身份证尾号是某号"),
    ("表号后四位是8871", "表号后四位是某号"),
    ("定位经度114.3055纬度30.5931没电", "定位经度某号纬度某号没电"),
    ("我生日1990年1月1日，密码忘了", "我生日某号，密码忘了"),
    ("村东头老李家的电线断了", "村东头某人家的电线断了"),
    ("王二麻子家的电线杆歪了", "某人家的电线杆歪了"),
    ("阿强家光伏板坏了", "某人家光伏板坏了"),
    ("隔壁小芳家偷电", "隔壁某人家偷电"),
    ("我是三楼的小陈，电费谁交的", "我是三楼的某人，电费谁交的"),
    ("我妈叫秀兰，户主是她", "我妈叫某人，户主是她"),
    ("请联系 Mr. Wang，谢谢你", "请联系 某人，谢谢你"),
    ("户主黄某某（黄建军）去世了", "户主黄某某（某人）去世了"),
    ("刘桂花她婆婆家停电了", "某人她婆婆家停电了"),
    ("李铁柱的表坏了", "某人的表坏了"),
    ("公司叫武汉鑫源机械有限公司", "公司叫某人"),
    ("纳税人识别号91420100MA4K12345X", "纳税人识别号某号"),
    ("三组十二号停电", "某地停电"),
    ("和平一村42号302没水没电", "和某地某号没水没电"),
    ("江汉路步行街88号附1号停电", "某地某号停电"),
]
HARMLESS = (
    "村里合作社换理事长，用电合同得换名字", "灯上写着1200imp怎么算", "阿拉屋里厢只有一只表", "大小周上班电费怎么算",
    "我要用iPhone充电多少度", "国网湖北省电力有限公司的电话", "小孙子把插座捅了", "老陈醋厂要增容",
    "白天贵晚上便宜的那种", "上个月3.4567度是什么意思", "100kW的变压器要多少钱", "这张单子贵得没道理",
)  # fmt: skip


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(learning_settings(DATA).placeholders, names_in)


@pytest.mark.parametrize(("said", "kept"), TOLD)
def test_what_points_at_somebody_goes(scrubber: Scrubber, said: str, kept: str) -> None:
    assert kept == scrubber.text(said)


@pytest.mark.parametrize("said", HARMLESS)
def test_what_points_at_nobody_stays(scrubber: Scrubber, said: str) -> None:
    assert said == scrubber.text(said)


@pytest.mark.parametrize("said", ["加我v信：lxm19880606", "卡尾号6222", "liming at qq dot com", "114.30551"])
def test_the_second_net_holds_what_the_first_one_would_have_let_through(scrubber: Scrubber, said: str) -> None:
    assert scrubber.is_personal(said)
