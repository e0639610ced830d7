"""上传文件,先看会发生什么,再确认;股票列表也用。

Between the two steps the file is in the person's browser, encrypted and bound to who
uploaded it and what for: not in the session, not on the disk, not in the page in clear.
"""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..csvfile import TOLD
from ..parcels import unwrap, wrap

# What comes back is a third longer, and Django takes 2.5 MB of fields at most.
LARGEST = 1_000_000
MINUTES = 15
PARCEL = "parcel"


class UploadForm(forms.Form):
    """一个 CSV 文件,至多 1 MB。

    `reasons`: what is wrong with its lines, once `refuse` was told.
    """

    reasons: list[str] | None = None

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"required": gettext_lazy("Choose a file of at most 1 MB.")},
    )

    def clean_file(self) -> bytes:
        """读出文件的内容,太大时拒绝。"""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if file.size is None or file.size > LARGEST:
            raise ValidationError(_("The file is larger than 1 MB."))
        return bytes(file.read())

    def refuse(self, reasons: list[str]) -> None:
        """在表单上列出文件里的毛病,一条一句。"""
        self.add_error("file", _("Nothing can be imported from this file."))
        self.reasons = reasons[: TOLD + 1]


def wrapped(request: HttpRequest, data: bytes, *, what: str) -> str:
    """把上传的文件加密成一段文字,放进确认的表单里。"""
    return wrap(data, purpose=_purpose(request, what))


def unwrapped(request: HttpRequest, *, what: str) -> bytes:
    """解开确认的表单带回来的文件。

    Raises StaleParcel after 15 minutes, for another person and for anything
    else than `what`.
    """
    return unwrap(
        request.POST[PARCEL], purpose=_purpose(request, what), seconds=MINUTES * 60
    )


def _purpose(request: HttpRequest, what: str) -> str:
    return f"{what} of user {request.user.pk}"
