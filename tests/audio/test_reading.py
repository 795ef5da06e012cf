"""What a machine reads aloud is written out first, and nothing that is not known is touched."""

import pytest

from audio.reading import expanded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("17h30 ngày 24/11, UBND xã", "17 giờ 30 ngày 24 tháng 11, Ủy ban nhân dân xã"),
        ("Lúc 05:00 sáng 1/2/2031", "Lúc 5 giờ sáng ngày 1 tháng 2 năm 2031"),
        ("từ 7h đến 9h", "từ 7 giờ đến 9 giờ"),
        ("Nộp 1.500.000đ, giảm 10%", "Nộp 1500000 đồng, giảm 10 phần trăm"),
        ("Gọi 0912 345 678", "Gọi không chín một hai ba bốn năm sáu bảy tám"),
        ("Gọi 0912345678.", "Gọi không chín một hai ba bốn năm sáu bảy tám."),
        ("20-25 người, 3 km", "20 đến 25 người, 3 ki lô mét"),
        ("Về TP. Thái Nguyên, QL 37", "Về thành phố Thái Nguyên, quốc lộ 37"),
        ("Ra NVH họp. SĐT 0912 345 678", "Ra nhà văn hóa họp. Số điện thoại không chín một hai ba bốn năm sáu bảy tám"),
        ("HTX, THCS và BCH PCTT xã", "Hợp tác xã, trung học cơ sở và ban chỉ huy phòng chống thiên tai xã"),
    ],
)
def test_hours_days_numbers_and_short_forms_are_written_out(text: str, said: str) -> None:
    assert expanded(text) == said


@pytest.mark.parametrize("text", ["Mời bà con", "tỉ lệ 45/80", "25:61", "TPHCM", "mã 12a", "3.14", ""])
def test_what_is_not_known_stays(text: str) -> None:
    assert expanded(text) == text
