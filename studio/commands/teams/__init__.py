"""Commands of robotics teams and of those who publish to them: versions, what is in them, exports, speed."""
