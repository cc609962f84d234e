"""Names of people as they are common in China, by sex and time of birth; any likeness is chance."""

from __future__ import annotations

from typing import Any

import numpy as np

SURNAMES: dict[str, float] = {
    "王": 7.2, "李": 7.1, "张": 6.8, "刘": 5.2, "陈": 4.5, "杨": 3.1, "赵": 2.3, "黄": 2.2, "周": 2.1, "吴": 2.0,
    "徐": 1.6, "孙": 1.5, "胡": 1.3, "朱": 1.3, "高": 1.2, "林": 1.2, "何": 1.1, "郭": 1.1, "马": 1.1, "罗": 1.0,
    "梁": 0.9, "宋": 0.8, "郑": 0.8, "谢": 0.8, "韩": 0.7, "唐": 0.7, "冯": 0.6, "于": 0.6, "董": 0.6, "萧": 0.5,
    "程": 0.5, "曹": 0.5, "袁": 0.5, "邓": 0.5, "许": 0.5, "傅": 0.5, "沈": 0.5, "曾": 0.5, "彭": 0.5, "吕": 0.5,
    "苏": 0.4, "卢": 0.4, "蒋": 0.4, "蔡": 0.4, "贾": 0.4, "丁": 0.4, "魏": 0.4, "薛": 0.4, "叶": 0.4, "阎": 0.3,
    "余": 0.3, "潘": 0.3, "杜": 0.3, "戴": 0.3, "夏": 0.3, "钟": 0.3, "汪": 0.3, "田": 0.3, "任": 0.3, "姜": 0.3,
}  # fmt: skip
"""Surname → share in per cent, rounded."""

ERAS = (1955, 1975, 1995)
"""First years of the second, third and fourth era of given names."""

WOMEN = (
    "秀英 桂英 秀兰 玉兰 淑珍 桂兰 凤英 玉珍 素珍 秀珍 淑英 桂珍 玉英 兰英 美英 淑兰 金凤 翠兰 菊香 月娥",
    "丽华 建华 红梅 秀芳 玉梅 桂芳 丽萍 春梅 爱华 美玲 淑芬 小红 雪梅 玉芳 凤霞 惠芳 亚萍 金花 国英 文英",
    "丽 静 敏 艳 娟 芳 霞 燕 娜 莉 婷 丹 玲 红 慧 洁 晓燕 丽娜 海燕 雪",
    "欣怡 子涵 诗涵 梓萱 雨桐 佳怡 思彤 一诺 雨欣 梦洁 若曦 可馨 语嫣 芷晴 静怡 雅婷 心怡 嘉怡 晨曦 依诺",
)
MEN = (
    "德明 国华 建国 志强 玉林 文华 金龙 福生 长青 永福 树林 根生 宝山 德福 万林 明德 家福 荣华 庆林 水生",
    "建华 建军 国强 卫东 志明 建平 文革 永强 建设 爱国 志刚 海军 跃进 红兵 国庆 新民 卫国 和平 援朝 保国",
    "伟 强 磊 军 勇 涛 斌 杰 波 辉 刚 健 鹏 超 明 俊 峰 志伟 海涛 晓东",
    "浩然 子轩 宇航 梓豪 俊杰 博文 一鸣 天佑 皓轩 子墨 嘉豪 宇轩 泽宇 家乐 思远 奕辰 铭轩 睿 昊天 瑞霖",
)


def full_names(rng: Any, surnames: Any, female: Any, year: Any) -> list[str]:
    """A full name each: the surname given, a given name of the sex and the time of birth."""
    era = np.searchsorted(ERAS, year, side="right")
    pick = rng.integers(0, 20, len(year))
    pools = ([text.split() for text in MEN], [text.split() for text in WOMEN])
    return [
        surname + pools[woman][when][which]
        for surname, woman, when, which in zip(
            surnames, female.astype(int).tolist(), era.tolist(), pick.tolist(), strict=True
        )
    ]


def surnames(rng: Any, count: int) -> Any:
    """So many surnames in their frequency."""
    weights = np.array(list(SURNAMES.values()))
    return rng.choice(np.array(list(SURNAMES)), count, p=weights / weights.sum())
