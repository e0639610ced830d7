"""导出 K 线:命令、接口和页面共用的一条流。

`request` says what is wanted, `reading` has the database write the lines, `stream` puts
them together as CSV, `files` writes folders of them.
"""
