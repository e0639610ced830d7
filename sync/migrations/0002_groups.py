"""三个用户组:Viewers、Operators、Token keepers。"""

from __future__ import annotations

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_SEE = (
    "sync.stock:sync:list",
    "sync.view_stock",
    "sync.view_kline",
    "sync.view_coverage",
    "sync.view_syncrun",
    "sync.view_syncshard",
    "sync.view_syncfailure",
    "tokens.view_apitoken",
)
_OPERATE = (
    "sync.stock:sync:retry",
    "sync.stock:sync:run",
    "sync.add_stock",
    "sync.change_stock",
    "sync.change_syncfailure",
)
_KEEP = ("tokens.add_apitoken", "tokens.change_apitoken", "tokens.delete_apitoken")

GROUPS = {
    "Viewers": _SEE,
    "Operators": _SEE + _OPERATE,
    "Token keepers": _SEE + _KEEP,
}


def make_groups(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """建组并给予权限;已经有的组只补上缺的。"""
    alias = schema_editor.connection.alias
    for label in ("sync", "tokens"):
        # Django makes permissions after all migrations; the groups need them now.
        config = apps.get_app_config(label)
        config.models_module = True  # type: ignore[assignment]
        create_permissions(config, apps=apps, verbosity=0, using=alias)
        config.models_module = None
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    for name, permissions in GROUPS.items():
        group, _created = group_model.objects.using(alias).get_or_create(name=name)
        for permission in permissions:
            label, _, codename = permission.partition(".")
            group.permissions.add(
                permission_model.objects.using(alias).get(
                    content_type__app_label=label, codename=codename
                )
            )


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0001_stocks_klines_runs_failures"),
        ("tokens", "0001_api_token"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
