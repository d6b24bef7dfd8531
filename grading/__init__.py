"""The former name of nbjudge, for settings that still have it: they end with what to write instead."""

from nbjudge.config import RENAMED, refuse

refuse(RENAMED)
raise ImportError(RENAMED)
