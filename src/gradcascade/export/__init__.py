"""What leaves a study: tables in one documented, versioned schema, and what to cite."""
