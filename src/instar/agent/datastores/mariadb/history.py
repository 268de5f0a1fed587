"""What changed between MariaDB's series, as far as an upgrade has to tell of it.

Which options a version knows is told by its own catalogue of parameters; here is only why, or what does
its work. It was found by holding the options of MariaDB 10.11.19 against those of 11.8.6.
"""

_UNUSED = "it had no effect any more"
_NO_CHANGE_BUFFER = "InnoDB has no change buffer any more (11.0)"
_NO_DEFRAGMENT = "OPTIMIZE TABLE defragments a table"

REMOVED = {
    "date_format": _UNUSED,
    "datetime_format": _UNUSED,
    "time_format": _UNUSED,
    "max_tmp_tables": _UNUSED,
    "debug_no_thread_alarm": _UNUSED,
    "innodb_change_buffering": _NO_CHANGE_BUFFER,
    "innodb_change_buffer_max_size": _NO_CHANGE_BUFFER,
    "innodb_defragment": _NO_DEFRAGMENT,
    "innodb_defragment_fill_factor": _NO_DEFRAGMENT,
    "innodb_defragment_fill_factor_n_recs": _NO_DEFRAGMENT,
    "innodb_defragment_frequency": _NO_DEFRAGMENT,
    "innodb_defragment_n_pages": _NO_DEFRAGMENT,
    "innodb_defragment_stats_accuracy": _NO_DEFRAGMENT,
    "old_alter_table": "ALGORITHM= in ALTER TABLE chooses one where it is to be forced",
    "wsrep_causal_reads": "wsrep_sync_wait = 1 does the same",
}
NEW_COLLATIONS = (11, 4)
"""utf8mb4_uca1400_ai_ci takes the place of utf8mb4_general_ci as utf8mb4's default."""
