"""Where documents come from: one file per format, all read as a stream of bounded batches."""
