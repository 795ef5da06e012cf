"""The pin that powers the amplifier around what sounds. It decides nothing about sound, and delays none."""
