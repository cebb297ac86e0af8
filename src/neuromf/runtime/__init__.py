"""What every command runs in: configuration, folders, records, devices, processes."""
