"""An S3-compatible storage on disk, for trying and testing: signed requests only, as at the real one."""
