from __future__ import annotations

from datetime import timedelta
from typing import Any

import django.core.validators
from django.db import migrations, models
from django.utils import timezone


def shorten(apps: Any, _schema_editor: object) -> None:
    """Keys that were made for longer than two years end in two years from now."""
    latest = timezone.now() + timedelta(days=731)
    keys = apps.get_model("sync", "AccessKey").objects.filter(expires_at__gt=latest)
    keys.update(expires_at=latest)


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0024_run_samples'),
    ]

    operations = [
        migrations.AddField(
            model_name='accesskey',
            name='calls_per_minute',
            field=models.PositiveIntegerField(blank=True, help_text='Blank: as many as the setting says. 0: no limit.', null=True, validators=[django.core.validators.MaxValueValidator(10000)], verbose_name='calls a minute'),
        ),
        migrations.RunPython(shorten, migrations.RunPython.noop, elidable=True),
    ]
