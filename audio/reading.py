"""Writes a Vietnamese text out as it is to be read aloud: short forms, hours, days, numbers. Pure.

What is spoken is exactly what comes out here, so that a person can read it before anybody hears it. Whatever is not
known stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

SHORT: dict[str, str] = {
    "UBND": "Ủy ban nhân dân",
    "HĐND": "Hội đồng nhân dân",
    "MTTQ": "Mặt trận Tổ quốc",
    "BHYT": "bảo hiểm y tế",
    "BHXH": "bảo hiểm xã hội",
    "HTX": "hợp tác xã",
    "THCS": "trung học cơ sở",
    "THPT": "trung học phổ thông",
    "PCCC": "phòng cháy chữa cháy",
    "ATGT": "an toàn giao thông",
    "VSMT": "vệ sinh môi trường",
    "CCCD": "căn cước công dân",
    "CSGT": "cảnh sát giao thông",
    "GTVT": "giao thông vận tải",
    "NTM": "nông thôn mới",
    "TDP": "tổ dân phố",
    "TP": "thành phố",
    "QL": "quốc lộ",
    "TW": "trung ương",
    "VN": "Việt Nam",
    "SĐT": "số điện thoại",
    "NVH": "nhà văn hóa",
    "TYT": "trạm y tế",
    "CCB": "cựu chiến binh",
    "ĐVTN": "đoàn viên thanh niên",
    "NVQS": "nghĩa vụ quân sự",
    "DQTV": "dân quân tự vệ",
    "ANTT": "an ninh trật tự",
    "PCTT": "phòng chống thiên tai",
    "TKCN": "tìm kiếm cứu nạn",
    "BCH": "ban chỉ huy",
    "BCĐ": "ban chỉ đạo",
    "GPMB": "giải phóng mặt bằng",
}
"""Short forms of a commune's notices, as written; in capitals only."""
UNITS: dict[str, str] = {
    "km": "ki lô mét",
    "m": "mét",
    "m2": "mét vuông",
    "m²": "mét vuông",
    "ha": "héc ta",
    "kg": "ki lô gam",
    "ml": "mi li lít",
    "mm": "mi li mét",
    "%": "phần trăm",
    "đ": "đồng",
    "°C": "độ C",
}
"""What stands behind a number."""
DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_DAY = re.compile(r"(?<![\d/])(?:(ngày)\s+)?(\d{1,2})/(\d{1,2})(?:/(\d{4}))?(?![\d/])", re.IGNORECASE)
_HOUR = re.compile(r"(?<![\d:.,])(\d{1,2})\s?(?:[hH]|giờ|:(?=\d\d))\s?(\d{2})?(?![\d:\w])")
_PHONE = re.compile(r"(?<!\d)0\d{2,3}[ .]?\d{3}[ .]?\d{3,4}(?!\d)")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+(?![\d.])")
_SPAN = re.compile(r"(?<=\d)\s?[-–]\s?(?=\d)")
_SHORT = re.compile(rf"(?<!\w)({'|'.join(sorted(SHORT, key=len, reverse=True))})(?:\.(?=\s?\w))?(?!\w)")
_UNIT = re.compile(rf"(?<=\d)\s?({'|'.join(map(re.escape, sorted(UNITS, key=len, reverse=True)))})(?!\w)")


def expanded(text: str) -> str:
    """Write a text out.

    >>> expanded("17h30 ngày 24/11, UBND xã")
    '17 giờ 30 ngày 24 tháng 11, Ủy ban nhân dân xã'
    """
    steps: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (_PHONE, lambda found: " ".join(DIGITS[int(digit)] for digit in found[0] if digit.isdecimal())),
        (_DAY, _day),
        (_HOUR, _hour),
        (_THOUSANDS, lambda found: found[0].replace(".", "")),
        (_UNIT, lambda found: f" {UNITS[found[1]]}"),
        (_SPAN, lambda _: " đến "),
        (_SHORT, _in_full),
    )
    for pattern, said in steps:
        text = pattern.sub(said, text)
    return text


def _in_full(found: re.Match[str]) -> str:
    """Write a short form out, with a capital where a sentence begins."""
    words, before = SHORT[found[1]], found.string[: found.start()].rstrip(" ")
    begins = not before or before[-1] in ".!?\n"
    return words[0].upper() + words[1:] if begins else words


def _day(found: re.Match[str]) -> str:
    word, day, month, year = found.groups()
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return found[0]
    return f"{word or 'ngày'} {int(day)} tháng {int(month)}" + (f" năm {year}" if year else "")


def _hour(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), found[2]
    if hour > 24 or (minute and int(minute) > 59):
        return found[0]
    if not minute or int(minute) == 0:
        return f"{hour} giờ"
    return f"{hour} giờ {int(minute)}"
