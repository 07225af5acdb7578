"""The engines that relax a field: one rule, one signature, the same bits."""
