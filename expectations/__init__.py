"""Quality gates: the only home of Great Expectations."""

from expectations.lazily import leave_unloaded

leave_unloaded()
