"""A one-host Cinder driver: each volume and each snapshot is one sparse file.

There is no target daemon and no kernel support to need (no iSCSI, NBD, NFS or
device-mapper): the compute service runs on the same host and hands the file to
QEMU as it is.  Nova has no connector that is called "file", but the one called
'gpfs' is just that, a libvirt <disk type='file'> at 'device_path'; os-brick's
connector of the same name likewise only opens that path.

Copies are reflinks where the file system can make them (XFS, Btrfs), so a
snapshot then takes no time and is a single point in time even of an attached
volume.  Elsewhere they are sparse copies: snapshot detached volumes only.
"""

import os

from cinder import interface
from cinder.image import image_utils
from cinder.volume import configuration, driver, volume_utils
from oslo_concurrency import processutils
from oslo_config import cfg

GIB = 1024**3
OPTS = [
    cfg.StrOpt(
        "sparse_volume_dir",
        default="/var/lib/cinder/sparse",
        help="Directory that holds the volume and snapshot files",
    )
]
cfg.CONF.register_opts(OPTS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class SparseFileDriver(driver.VolumeDriver):
    VERSION = "1.0"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTS)

    # -- files ---------------------------------------------------------------

    @property
    def _dir(self):
        return self.configuration.sparse_volume_dir

    def _path(self, volume_or_snapshot):
        return os.path.join(self._dir, volume_or_snapshot.name)

    def _resize(self, volume, size_gb):
        with open(self._path(volume), "ab") as f:
            f.truncate(size_gb * GIB)

    def _copy(self, source, target):
        """Make target's file the same as source's, all or nothing."""
        partial = self._path(target) + ".partial"
        processutils.execute("cp", "--reflink=auto", "--sparse=always", self._path(source), partial)
        os.rename(partial, self._path(target))

    def _remove(self, volume_or_snapshot):
        try:
            os.unlink(self._path(volume_or_snapshot))
        except FileNotFoundError:
            pass

    # -- volumes and snapshots -----------------------------------------------

    def check_for_setup_error(self):
        os.makedirs(self._dir, mode=0o700, exist_ok=True)

    def create_volume(self, volume):
        self._resize(volume, volume.size)

    def delete_volume(self, volume):
        self._remove(volume)

    def extend_volume(self, volume, new_size):
        self._resize(volume, new_size)

    def create_cloned_volume(self, volume, src_vref):
        self._copy(src_vref, volume)
        self._resize(volume, volume.size)

    def create_snapshot(self, snapshot):
        self._copy(snapshot.volume, snapshot)

    def delete_snapshot(self, snapshot):
        self._remove(snapshot)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(snapshot, volume)
        self._resize(volume, volume.size)

    def revert_to_snapshot(self, context, volume, snapshot):
        self._copy(snapshot, volume)
        self._resize(volume, volume.size)

    def snapshot_revert_use_temp_snapshot(self):
        return False  # _copy() replaces the file all or nothing

    # -- images --------------------------------------------------------------

    def copy_image_to_volume(self, context, volume, image_service, image_id, **kwargs):
        image_utils.fetch_to_raw(
            context,
            image_service,
            image_id,
            self._path(volume),
            self.configuration.volume_dd_blocksize,
            size=volume.size,
        )
        self._resize(volume, volume.size)

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        volume_utils.upload_volume(context, image_service, image_meta, self._path(volume), volume)

    # -- attachment ----------------------------------------------------------

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {
            "driver_volume_type": "gpfs",
            "data": {"name": volume.name, "device_path": self._path(volume)},
        }

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    # -- what the scheduler asks ---------------------------------------------

    def _update_volume_stats(self):
        fs = os.statvfs(self._dir)
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name") or "sparse",
            "vendor_name": "lab",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "pools": [
                {
                    "pool_name": "sparse",
                    "total_capacity_gb": fs.f_blocks * fs.f_frsize / GIB,
                    "free_capacity_gb": fs.f_bavail * fs.f_frsize / GIB,
                    "thin_provisioning_support": True,
                    "max_over_subscription_ratio": "20.0",
                    "reserved_percentage": 0,
                    "QoS_support": False,
                    "multiattach": False,
                }
            ],
        }
