"""Asymmetric student-teacher (Rudolph et al. 2023), as in paper B."""

from flawsight.detectors.ast.detector import AsymmetricStudentTeacher

__all__ = ["AsymmetricStudentTeacher"]
