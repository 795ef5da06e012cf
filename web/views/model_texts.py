"""Texts to begin a ready message with: what is said aloud, in Vietnamese whatever language the pages speak. Pure.

Each is plain, says what to do before it says why, and is to be made to fit the place. No place and no hour stands in
them: those are written by who knows them.
"""

from dataclasses import dataclass

LANGUAGE = "vi"
MODELS = ("flood", "storm", "fire", "leave")
"""In the order in which they are offered; the word of each: ``danger.<name>``."""


@dataclass(frozen=True)
class Model:
    """A title and what is said."""

    title: str
    text: str


_ALERTS = {
    "flood": Model(
        "Lũ quét",
        "Khẩn cấp! Có nguy cơ lũ quét. Bà con ở ven suối, ven sông, chân dốc hãy lên nơi cao ngay. Không qua suối, "
        "không qua ngầm tràn. Đưa người già và trẻ em đi trước. Không quay lại lấy đồ đạc.",
    ),
    "storm": Model(
        "Bão",
        "Khẩn cấp! Bão sắp đến. Bà con hãy ở trong nhà kiên cố, đóng chặt cửa, tránh xa cửa kính, cây to và đường dây "
        "điện. Nhà yếu thì đến nơi trú đã được báo ngay bây giờ. Không ra đường khi gió còn mạnh.",
    ),
    "fire": Model(
        "Cháy",
        "Khẩn cấp! Đang có cháy lớn. Bà con ở gần hãy ra khỏi nhà ngay, che mũi miệng bằng khăn ướt, đi ngược chiều "
        "khói. Nhường đường cho xe chữa cháy. Thấy người mắc kẹt thì gọi một một bốn.",
    ),
    "leave": Model(
        "Sơ tán",
        "Khẩn cấp! Bà con hãy sơ tán ngay đến nơi trú đã được báo. Mang theo giấy tờ, thuốc, nước và đèn pin. Tắt "
        "điện, khóa ga trước khi đi. Giúp người già, trẻ em và người khuyết tật đi trước.",
    ),
}
_OVER = {
    "flood": "Nguy cơ lũ quét đã qua",
    "storm": "Bão đã qua",
    "fire": "Đám cháy đã được dập tắt",
    "leave": "Việc sơ tán đã kết thúc",
}
_CAREFUL = {
    "flood": "Bà con có thể trở về nhà. Vẫn tránh xa bờ suối và chỗ đất còn ướt, dễ sạt.",
    "storm": "Bà con có thể ra ngoài. Không lại gần dây điện đứt và cây sắp đổ; thấy thì báo trưởng thôn.",
    "fire": "Bà con có thể trở về nhà. Không lại gần nơi vừa cháy.",
    "leave": "Bà con có thể trở về nhà. Kiểm tra điện, ga và tường nhà trước khi vào.",
}


def model(kind: str, name: str) -> Model | None:
    """Give the text of one kind of message for one danger; None: there is none."""
    alert = _ALERTS.get(name)
    if alert is None:
        return None
    match kind:
        case "alert":
            return alert
        case "all_clear":
            return Model(f"Báo yên: {alert.title}", f"Báo yên. {_OVER[name]}. {_CAREFUL[name]} Xin cảm ơn bà con.")
        case "false_alarm":
            said = f"Đính chính. Thông báo khẩn cấp vừa rồi về “{alert.title}” là báo nhầm. Hiện không có nguy hiểm."
            return Model(
                f"Đính chính: {alert.title}", f"{said} Bà con cứ sinh hoạt bình thường. Chúng tôi xin lỗi bà con."
            )
    return None
