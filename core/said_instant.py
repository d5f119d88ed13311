"""How instants are said to customers: 今天18:30, 明天9:00, 11月25日8:00; the end of a day is the day itself."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from pydantic import BaseModel, ConfigDict

from core.clock import SHANGHAI

_END_OF_DAY = time(23, 59)  # of a limit in days


class Times(BaseModel):
    """The words for instants (`times` in data/wording.yaml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    today: str
    tomorrow: str
    other: str
    end_of_day: str

    def say(self, at: datetime, *, now: datetime) -> str:
        """Return an instant as people say it."""
        local, today = at.astimezone(SHANGHAI), now.astimezone(SHANGHAI).date()
        if local.time().replace(second=0, microsecond=0) == _END_OF_DAY:
            return self.end_of_day.format(month=local.month, day=local.day)
        clock = f"{local.hour}:{local.minute:02d}"
        near = {today: self.today, today + timedelta(days=1): self.tomorrow}
        return near.get(local.date(), self.other).format(time=clock, month=local.month, day=local.day)
