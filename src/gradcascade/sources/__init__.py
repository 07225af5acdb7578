"""Where fields come from: files and folders of snapshots."""
