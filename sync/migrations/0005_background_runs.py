"""运行是不是交给任务队列的:只有这样的运行在进程死掉以后重新开始。"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0004_failure_indexes")]

    operations = [
        migrations.AddField(
            model_name="syncrun",
            name="background",
            field=models.BooleanField(
                default=False, verbose_name="left to the cluster"
            ),
        ),
    ]
