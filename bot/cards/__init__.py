"""What a message looks like and what in it can be pressed.

`DYNAMIC_ITEMS` is all that a bot must know to understand cards of before its start.
"""

from __future__ import annotations

from .admin_lists import ClearRule, DropEntry, LiftBan, ListPage
from .admin_panel import FormButton, NsfwSelect, SwitchButton
from .audit_page import TurnPage
from .buttons import Again, Cancel, Delete, Remix
from .confirm import Confirm, NeverMind
from .forgetting import ForgetMe
from .inpaint import MaskButton
from .menu import PictureMenu
from .quota_reset import ResetEverybody
from .quota_usage import UsageBy

DYNAMIC_ITEMS = (
    Again,
    Remix,
    Cancel,
    Delete,
    PictureMenu,
    Confirm,
    NeverMind,
    ForgetMe,
    MaskButton,
    TurnPage,
    SwitchButton,
    FormButton,
    NsfwSelect,
    ClearRule,
    LiftBan,
    DropEntry,
    ListPage,
    UsageBy,
    ResetEverybody,
)
