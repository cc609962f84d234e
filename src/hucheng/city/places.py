"""Where people live and who is in charge there: nation, province, city, districts, streets, communities, grids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

Level = Literal["nation", "province", "city", "district", "street", "community", "department"]

COMMUNITY_SIZE = 2_500
GRID_HOMES = 300
STREET_COMMUNITIES = 4
DISTRICT_STREETS = 8

DISTRICTS = (
    "滨河 Binhe", "东湖 Donghu", "西城 Xicheng", "南浦 Nanpu", "北岸 Bei'an", "江宁 Jiangning", "云山 Yunshan",
    "新港 Xingang", "长堤 Changdi", "青龙 Qinglong", "白鹭 Bailu", "金水 Jinshui", "望江 Wangjiang", "石桥 Shiqiao",
)  # fmt: skip
STREETS = (
    "柳荫 Liuyin", "桃源 Taoyuan", "荷塘 Hetang", "松涛 Songtao", "竹溪 Zhuxi", "梅岭 Meiling", "兰亭 Lanting",
    "枫林 Fenglin", "桂花 Guihua", "银杏 Yinxing", "红星 Hongxing", "和平 Heping", "解放 Jiefang", "建设 Jianshe",
)  # fmt: skip
FIRST = ("幸福 Xingfu", "平安 Ping'an", "康乐 Kangle", "福寿 Fushou", "和睦 Hemu", "春晖 Chunhui", "晨光 Chenguang",
         "安居 Anju", "永宁 Yongning", "长乐 Changle", "瑞景 Ruijing", "清风 Qingfeng", "明月 Mingyue", "朝阳 Chaoyang",
         "向阳 Xiangyang", "翠湖 Cuihu", "绿洲 Lüzhou", "百合 Baihe", "紫荆 Zijing", "海棠 Haitang")  # fmt: skip
LAST = ("里 Li", "苑 Yuan", "园 Garden", "坊 Fang", "巷 Xiang", "新村 New Village", "花园 Court", "家园 Homes")
OFFICES = {
    "civil-affairs": ("民政局", "Civil Affairs Bureau"),
    "health": ("卫生健康委", "Health Commission"),
    "data": ("数据局", "Data Bureau"),
    "audit": ("审计局", "Audit Bureau"),
    "emergency": ("应急指挥中心", "Emergency Desk"),
}


@dataclass(frozen=True)
class Org:
    """One place in the organisation tree; ``path`` are the ids from the root down to this one."""

    id: str
    level: Level
    title: dict[str, str]
    path: tuple[str, ...]

    @property
    def parent(self) -> str | None:
        """Id of the one above."""
        return self.path[-2] if len(self.path) > 1 else None


@dataclass(frozen=True)
class Places:
    """The tree of a city, and its communities in their order."""

    orgs: tuple[Org, ...]
    communities: tuple[Org, ...]
    city: Org

    def org(self, name: str) -> Org:
        """One organisation by id. Raises KeyError."""
        return self._by_id[name]

    @cached_property
    def _by_id(self) -> dict[str, Org]:
        return {org.id: org for org in self.orgs}


def places(residents: int) -> Places:
    """The tree for so many residents: a community holds about 2,500."""
    count = max(1, round(residents / COMMUNITY_SIZE))
    nation = Org("cn", "nation", {"zh": "中国", "en": "China"}, ("cn",))
    province = _under(nation, "jiangdong", "province", "江东省", "Jiangdong Province")
    city = _under(province, "linjiang", "city", "临江市", "Linjiang")
    orgs = [nation, province, city]
    orgs += [_under(city, name, "department", f"临江市{zh}", f"Linjiang {en}") for name, (zh, en) in OFFICES.items()]
    communities = []
    names = product(LAST, FIRST)
    street = district = city
    for number in range(count):
        if number % (STREET_COMMUNITIES * DISTRICT_STREETS) == 0:
            place = number // (STREET_COMMUNITIES * DISTRICT_STREETS)
            zh, en = _named(DISTRICTS, place)
            district = _under(city, f"d{place + 1:02}", "district", f"{zh}区", f"{en} District")
            orgs.append(district)
        if number % STREET_COMMUNITIES == 0:
            place = number // STREET_COMMUNITIES
            zh, en = _named(STREETS, place)
            street = _under(district, f"s{place + 1:03}", "street", f"{zh}街道", f"{en} Street")
            orgs.append(street)
        last, first = (
            next(names) if number < len(FIRST) * len(LAST) else (f"{number}号 No.{number}", FIRST[number % 20])
        )
        zh = first.split()[0] + last.split()[0]
        en = " ".join((first.split(" ", 1)[1], last.split(" ", 1)[1]))
        communities.append(_under(street, f"c{number + 1:04}", "community", f"{zh}社区", f"{en} Community"))
    return Places((*orgs, *communities), tuple(communities), city)


def gateway(community: str) -> str:
    """Id of the gateway that carries a community's home devices."""
    return f"{community}-gw"


def _named(names: tuple[str, ...], place: int) -> tuple[str, str]:
    zh, en = names[place % len(names)].split(" ", 1)
    turn = place // len(names)
    return (zh, en) if not turn else (f"{zh}{turn + 1}", f"{en} {turn + 1}")


def _under(parent: Org, name: str, level: Level, zh: str, en: str) -> Org:
    return Org(name, level, {"zh": zh, "en": en}, (*parent.path, name))
