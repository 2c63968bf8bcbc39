"""Commands of robotics teams and of those who publish to them."""
