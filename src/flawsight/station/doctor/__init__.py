"""Whether a machine is fit to be a station, before it is one."""

from flawsight.station.doctor.check import Check, Diagnosis
from flawsight.station.doctor.examine import run_doctor

__all__ = ["Check", "Diagnosis", "run_doctor"]
