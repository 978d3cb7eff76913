"""The parts that all estimators share: the base class, row layouts, checks, callbacks, inference in blocks."""
