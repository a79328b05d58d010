"""What detectors are made of: functions and small estimators on tensors, each of use to several."""
