"""What tests of every kind may ask for."""

pytest_plugins = ["guest_images", "record_stores"]
