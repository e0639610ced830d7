"""失败列表要的索引:最新的在前、按原因分组、一次运行的记录。

Beside those of the plan, which stay as they are.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0002_groups")]

    operations = [
        migrations.AddIndex(
            model_name="syncfailure",
            index=models.Index(
                fields=["status", "create_time"], name="idx_status_time"
            ),
        ),
        migrations.AddIndex(
            model_name="syncfailure",
            index=models.Index(
                fields=["status", "reason_class", "market", "create_time"],
                name="idx_status_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="syncfailure",
            index=models.Index(
                fields=["market", "create_time"], name="idx_market_time"
            ),
        ),
        migrations.AddIndex(
            model_name="syncfailure",
            index=models.Index(
                fields=["reason_class", "create_time"], name="idx_reason_time"
            ),
        ),
        migrations.AddIndex(
            model_name="syncfailure",
            index=models.Index(
                fields=["run", "status", "reason_class"], name="idx_run_status"
            ),
        ),
    ]
