"""MariaDB's own ways."""

from instar.agent.datastores.mariadb.history import NEW_COLLATIONS, REMOVED
from instar.agent.datastores.mysql_family.dialect import Dialect

MARIADB = Dialect(
    name="mariadb",
    title="MariaDB",
    server="usr/sbin/mariadbd",
    install=(
        "usr/bin/mariadb-install-db",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ),
    upgrade="usr/bin/mariadb-upgrade",
    check="usr/bin/mariadb-check",
    main_file="mariadb.cnf",
    own_folder="mariadb.conf.d",
    groups=(
        "client-server",
        "mysqld",
        "server",
        "mysqld-{series}",
        "mariadb",
        "mariadb-{series}",
        "mariadbd",
        "mariadbd-{series}",
        "galera",
    ),
    version_markers=("mariadb_upgrade_info", "mysql_upgrade_info"),
    accounts="SELECT User, Host FROM mysql.user WHERE is_role = 'N' COLLATE utf8mb4_bin",
    identified="IDENTIFIED VIA mysql_native_password USING '{hash}'",
    unguarded=(
        "SET @strict = @@GLOBAL.strict_password_validation, GLOBAL strict_password_validation = 0;",
        "SET GLOBAL strict_password_validation = @strict;",
    ),
    data_directories=(
        "innodb-data-home-dir",
        "innodb-log-group-home-dir",
        "innodb-undo-directory",
        "aria-log-dir-path",
    ),
    time_zones=("usr/bin/mariadb-tzinfo-to-sql", "usr/bin/mariadb"),
    building={
        "loose-debug-no-sync": "1",  # some 900 times the disk would be waited for
        "default-time-zone": "SYSTEM",
    },
    closed={
        "event-scheduler": "OFF",
        "skip-slave-start": "1",
        "loose-handlersocket-port": "",
        "loose-handlersocket-port-wr": "",
    },
    session={
        "sql_mode": "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        "sql_log_off": 1,
        "slow_query_log": 0,
        "lock_wait_timeout": 60,
        "innodb_lock_wait_timeout": 60,
        "max_statement_time": 0,
        "wait_timeout": 28800,
    },
    removed=REMOVED,
    new_collations=NEW_COLLATIONS,
)
