"""告警:什么要告诉人(rules),什么时候是新的、什么时候过去了(watch),告诉谁
(receivers),怎样写(digest、shapes),怎样发(sending),谁听到了什么(telling)。
"""
