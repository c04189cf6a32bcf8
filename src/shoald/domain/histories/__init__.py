"""Groups over time: values read as times, times put into buckets, documents counted by group and bucket."""
