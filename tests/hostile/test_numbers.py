"""A number is a number: true is not one."""

import pytest
from pydantic import BaseModel, ValidationError

from controller.emergencies import schemas as emergencies
from controller.policies.schemas import PolicyRules
from controller.programmes.schemas import ItemIn, ProgrammeIn
from controller.schedules.schemas import ScheduleIn


@pytest.mark.parametrize(
    ("shape", "field"),
    [
        (ProgrammeIn, "lead_in_ms"),
        (ProgrammeIn, "gap_ms"),
        (ItemIn, "pause_ms"),
        (ItemIn, "gain_mb"),
        (ScheduleIn, "late_ms"),
        (ScheduleIn, "position"),
        (PolicyRules, "minutes_a_session"),
        (emergencies.EmergencyIn, "repeats"),
    ],
)
def test_true_is_no_number(shape: type[BaseModel], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        shape.model_validate({field: True})

    assert (field,) in [each["loc"] for each in refused.value.errors()]
