"""make bench:这里有多快。"""
