"""What is measured, against what, and the last results (results.md). `make bench`"""
