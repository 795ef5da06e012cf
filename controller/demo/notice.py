"""What the demo says: a real kind of notice, spoken by espeak-ng, after our own signature tune."""

TITLE = "Thông báo lịch tiêm phòng và cắt điện"

TEXT = """
Kính thưa bà con.
Sáng thứ Ba, từ bảy giờ ba mươi phút, Trạm y tế xã tổ chức tiêm phòng cho trẻ em dưới năm tuổi tại nhà văn hóa thôn.
Bà con nhớ mang theo sổ tiêm chủng.
Chiều cùng ngày, từ mười ba giờ đến mười sáu giờ, điện lực tạm ngừng cấp điện để sửa đường dây.
Xin trân trọng cảm ơn.
"""
"""Our own words, about what commune stations announce most."""
