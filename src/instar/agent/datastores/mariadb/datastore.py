"""The datastore `mariadb`: the family's story in MariaDB's words."""

from instar.agent.datastores.mariadb.dialect import MARIADB
from instar.agent.datastores.mysql_family.datastore import FamilyDatastore


class MariaDB(FamilyDatastore):
    """The datastore `mariadb`."""

    name = MARIADB.name
    dialect = MARIADB
